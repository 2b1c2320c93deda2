#include "mail/auth.h"

#include "io/spf.h"
#include "mail/arc_results.h"

#define SPF_PREFETCH 3  /* questions most SPF records lead to, asked before they do */
#define HELO_PREFETCH 2 /* TXT and A: a host name's record says "a" more often than not  \
	                 */

struct pw_auth_run {
	struct pw_arena *arena;
	struct pw_resolver *resolver;
	const struct pw_psl *psl;
	struct pw_dkim *dkim;
	struct pw_arc *arc;
	struct pw_spf *spf, *helo; /* helo: beside MAIL FROM */
	struct pw_spf_input spf_input;
	struct pw_dns_ticket *helo_prefetch[HELO_PREFETCH];
	struct pw_dns_ticket *prefetch[SPF_PREFETCH]; /* only to fill the cache */
	struct pw_str author, org; /* domains; empty without an author */
	struct pw_dns_ticket *policy, *org_policy, *existence;
};

enum pw_status pw_auth_new(struct pw_auth_run **out, struct pw_arena *arena,
                           struct pw_resolver *resolver, struct pw_dkim_lib *lib,
                           const struct pw_psl *psl, int64_t now_ms)
{
	struct pw_auth_run *run = pw_arena_alloc(arena, sizeof(*run));
	enum pw_status r;

	if (run == NULL)
		return PW_ERR_NOMEM;
	run->arena = arena;
	run->resolver = resolver;
	run->psl = psl;
	if ((r = pw_dkim_new(&run->dkim, lib, resolver, arena, now_ms)) != PW_OK)
		return r;
	if ((r = pw_arc_new(&run->arc, resolver, arena, now_ms)) != PW_OK) {
		pw_dkim_free(&run->dkim);
		return r;
	}
	*out = run;
	return PW_OK;
}

void pw_auth_free(struct pw_auth_run **run)
{
	if (*run == NULL)
		return;
	pw_dkim_free(&(*run)->dkim);
	pw_arc_free(&(*run)->arc);
	for (size_t i = 0; i < SPF_PREFETCH; i++)
		pw_dns_drop(&(*run)->prefetch[i]);
	for (size_t i = 0; i < HELO_PREFETCH; i++)
		pw_dns_drop(&(*run)->helo_prefetch[i]);
	pw_dns_drop(&(*run)->policy);
	pw_dns_drop(&(*run)->org_policy);
	pw_dns_drop(&(*run)->existence);
	*run = NULL;
}

static enum pw_status file(struct pw_auth_run *run, enum pw_dns_type type,
                           struct pw_str name, struct pw_dns_ticket **out)
{
	struct pw_dns_question question = { type, name };

	return pw_dns_ask(run->resolver, &question, out);
}

/* A host name, not an address literal: HELO can have a policy (RFC 7208 2.3). */
static bool is_host_name(struct pw_str helo)
{
	return helo.len > 0 && helo.at[0] != '[' && pw_str_find(helo, '.') < helo.len &&
	       pw_dns_name_is_valid(helo);
}

static enum pw_status ask_helo(struct pw_auth_run *run)
{
	static const enum pw_dns_type types[HELO_PREFETCH] = { PW_DNS_TXT, PW_DNS_A };
	struct pw_spf_input input = run->spf_input;
	enum pw_status r;

	if (input.from.len == 0 || !is_host_name(input.helo))
		return PW_OK;
	input.from = (struct pw_str){ "", 0 };
	r = pw_spf_new(&run->helo, run->arena, &input);
	for (size_t i = 0; i < HELO_PREFETCH && r == PW_OK; i++)
		r = file(run, types[i], input.helo, &run->helo_prefetch[i]);
	return r;
}

/* The machine asks one question after another; its record, and the A and MX that half of
 * all records name, are on their way while the client still talks. */
enum pw_status pw_auth_spf(struct pw_auth_run *run, const struct pw_spf_input *input)
{
	static const enum pw_dns_type types[SPF_PREFETCH] = { PW_DNS_TXT, PW_DNS_A,
		                                              PW_DNS_MX };
	size_t at = pw_str_rfind(input->from, '@');
	struct pw_str domain = input->helo;
	enum pw_status r;

	if (run->spf != NULL)
		return PW_ERR_STATE;
	if ((r = pw_spf_new(&run->spf, run->arena, input)) != PW_OK)
		return r;
	run->spf_input = *input;
	if ((r = pw_arena_copy(run->arena, input->helo, &run->spf_input.helo)) != PW_OK ||
	    (r = pw_arena_copy(run->arena, input->from, &run->spf_input.from)) != PW_OK ||
	    (r = ask_helo(run)) != PW_OK)
		return r;
	if (input->from.len > 0)
		domain = pw_str_sub(input->from, at + 1, input->from.len);
	if (!pw_dns_name_is_valid(domain))
		return PW_OK;
	for (size_t i = 0; i < SPF_PREFETCH; i++)
		if ((r = file(run, types[i], domain, &run->prefetch[i])) != PW_OK)
			return r;
	return PW_OK;
}

enum pw_status pw_auth_header(struct pw_auth_run *run, struct pw_str name,
                              struct pw_str value)
{
	enum pw_status r = pw_dkim_header(run->dkim, name, value);

	return r == PW_OK ? pw_arc_header(run->arc, name, value) : r;
}

static enum pw_status file_policy(struct pw_auth_run *run, struct pw_str domain,
                                  struct pw_dns_ticket **out)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	enum pw_status r;

	pw_dmarc_put_name(&name, domain);
	if ((r = pw_buf_status(&name)) != PW_OK)
		return r;
	return file(run, PW_DNS_TXT, pw_buf_str(&name), out);
}

static enum pw_status ask_policies(struct pw_auth_run *run)
{
	char buffer[256];
	struct pw_str org = pw_psl_org(run->psl, run->author, buffer);
	enum pw_status r;

	if ((r = pw_arena_copy(run->arena, org, &run->org)) != PW_OK ||
	    (r = file_policy(run, run->author, &run->policy)) != PW_OK)
		return r;
	if (pw_str_eq_nocase(run->author, run->org))
		return PW_OK;
	if ((r = file_policy(run, run->org, &run->org_policy)) != PW_OK)
		return r;
	return file(run, PW_DNS_A, run->author, &run->existence);
}

enum pw_status pw_auth_eoh(struct pw_auth_run *run, const struct pw_mailbox *author)
{
	enum pw_status r;

	if (author != NULL && author->domain.len > 0 && author->domain.at[0] != '[') {
		if ((r = pw_arena_copy(run->arena, author->domain, &run->author)) !=
		            PW_OK ||
		    (r = ask_policies(run)) != PW_OK)
			return r;
	}
	if ((r = pw_arc_eoh(run->arc)) != PW_OK)
		return r;
	return pw_dkim_eoh(run->dkim, run->author);
}

enum pw_status pw_auth_body(struct pw_auth_run *run, struct pw_str chunk)
{
	pw_arc_add_body(run->arc, chunk);
	return pw_dkim_body(run->dkim, chunk);
}

static enum pw_status end_spf(struct pw_auth_run *run, int64_t deadline_ms,
                              struct pw_auth *out)
{
	enum pw_status r;

	if (run->spf == NULL)
		return PW_OK;
	r = pw_spf_run(&out->spf, run->spf, run->arena, run->resolver, deadline_ms);
	if (r != PW_OK)
		return r;
	out->has_spf = true;
	out->is_spf_helo = run->spf_input.from.len == 0;
	out->spf_identity = out->is_spf_helo ? run->spf_input.helo : run->spf_input.from;
	if (run->helo == NULL)
		return PW_OK;
	out->has_helo = true;
	out->helo_name = run->spf_input.helo;
	return pw_spf_run(&out->helo, run->helo, run->arena, run->resolver, deadline_ms);
}

static enum pw_status end_dkim(struct pw_auth_run *run, int64_t deadline_ms,
                               struct pw_auth *out)
{
	size_t count;
	const struct pw_arc_field *fields = pw_arc_fields(run->arc, &count);
	enum pw_status r;

	pw_dkim_lend_header(run->dkim, fields, count);
	r = pw_dkim_eom(run->dkim, deadline_ms, &out->dkim, &out->dkim_count);
	if (r == PW_OK)
		out->dkim_overall = pw_dkim_overall(out->dkim, out->dkim_count);
	return r;
}

static enum pw_status add_identity(struct pw_auth_run *run, struct pw_dmarc_identity *ids,
                                   size_t *count, struct pw_str domain, bool is_dkim,
                                   bool is_temporary)
{
	char buffer[256];

	if (domain.len == 0 || *count == PW_DMARC_IDENTITIES_MAX)
		return PW_OK;
	ids[*count] = (struct pw_dmarc_identity){ .domain = domain,
		                                  .is_dkim = is_dkim,
		                                  .is_temporary = is_temporary };
	return pw_arena_copy(run->arena, pw_psl_org(run->psl, domain, buffer),
	                     &ids[(*count)++].org);
}

/* SPF of HELO alone (null sender) counts for DMARC too (RFC 7489 3.1.2). */
static enum pw_status gather_identities(struct pw_auth_run *run,
                                        const struct pw_auth *auth,
                                        struct pw_dmarc_identity *ids, size_t *count)
{
	enum pw_status r = PW_OK;

	if (auth->has_spf &&
	    (auth->spf.result == PW_SPF_PASS || auth->spf.result == PW_SPF_TEMPERROR))
		r = add_identity(run, ids, count, auth->spf.domain, false,
		                 auth->spf.result == PW_SPF_TEMPERROR);
	for (size_t i = 0; i < auth->dkim_count && r == PW_OK; i++) {
		const struct pw_dkim_verdict *v = &auth->dkim[i];

		if (v->result == PW_DKIM_PASS || v->result == PW_DKIM_TEMPERROR)
			r = add_identity(run, ids, count, v->domain, true,
			                 v->result == PW_DKIM_TEMPERROR);
	}
	return r;
}

static bool is_aligned_dkim(const struct pw_dmarc_identity *ids, size_t count,
                            struct pw_str org)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i].is_dkim && !ids[i].is_temporary &&
		    pw_str_eq_nocase(ids[i].org, org))
			return true;
	return false;
}

static enum pw_status wait_policy(struct pw_auth_run *run, struct pw_dns_ticket **ticket,
                                  int64_t deadline_ms, struct pw_dns_answer *answer)
{
	*answer = (struct pw_dns_answer){ .rcode = PW_DNS_NXDOMAIN };
	if (*ticket == NULL)
		return PW_OK;
	return pw_dns_wait(ticket, deadline_ms, run->arena, answer);
}

static bool is_empty(const struct pw_dns_answer *answer)
{
	return answer->count == 0 && !pw_dns_is_error(answer);
}

/* Neither A nor AAAA nor MX (RFC 9091 2.6). The last two are asked for only where the
 * organisation's record may depend on it. */
static enum pw_status look_for_author(struct pw_auth_run *run, int64_t deadline_ms,
                                      const struct pw_dns_answer *own,
                                      const struct pw_dns_answer *org,
                                      bool *is_nonexistent_out)
{
	static const enum pw_dns_type types[] = { PW_DNS_AAAA, PW_DNS_MX };
	struct pw_dns_answer answer;
	enum pw_status r;

	*is_nonexistent_out = false;
	if (run->existence == NULL)
		return PW_OK;
	if ((r = pw_dns_wait(&run->existence, deadline_ms, run->arena, &answer)) != PW_OK)
		return r;
	if (!is_empty(&answer) || own->count > 0 || org->count == 0)
		return PW_OK;
	if (answer.rcode != PW_DNS_NXDOMAIN)
		for (size_t i = 0; i < PW_LEN(types); i++) {
			r = file(run, types[i], run->author, &run->existence);
			if (r == PW_OK)
				r = pw_dns_wait(&run->existence, deadline_ms, run->arena,
				                &answer);
			if (r != PW_OK || !is_empty(&answer))
				return r;
		}
	*is_nonexistent_out = true;
	return PW_OK;
}

static enum pw_status end_dmarc(struct pw_auth_run *run, int64_t deadline_ms,
                                uint8_t sample, struct pw_auth *out)
{
	struct pw_dmarc_identity ids[PW_DMARC_IDENTITIES_MAX];
	struct pw_dns_answer own, org;
	bool is_nonexistent;
	size_t count = 0;
	enum pw_status r;

	if (run->author.len == 0)
		return PW_OK;
	if ((r = wait_policy(run, &run->policy, deadline_ms, &own)) != PW_OK ||
	    (r = wait_policy(run, &run->org_policy, deadline_ms, &org)) != PW_OK ||
	    (r = look_for_author(run, deadline_ms, &own, &org, &is_nonexistent)) !=
	            PW_OK ||
	    (r = gather_identities(run, out, ids, &count)) != PW_OK)
		return r;
	out->is_dkim_aligned = is_aligned_dkim(ids, count, run->org);
	pw_dmarc_decide(&out->dmarc, &(struct pw_dmarc_input){
					     .from = run->author,
					     .org = run->org,
					     .from_answer = &own,
					     .org_answer = &org,
					     .is_nonexistent = is_nonexistent,
					     .identities = ids,
					     .identity_count = count,
					     .sample = sample,
				     });
	return PW_OK;
}

enum pw_status pw_auth_end(struct pw_auth_run *run, int64_t deadline_ms, uint8_t sample,
                           struct pw_auth *out)
{
	enum pw_status r;

	*out = (struct pw_auth){ 0 };
	if ((r = end_spf(run, deadline_ms, out)) != PW_OK ||
	    (r = end_dkim(run, deadline_ms, out)) != PW_OK ||
	    (r = pw_arc_end(run->arc, deadline_ms, &out->arc)) != PW_OK)
		return r;
	return end_dmarc(run, deadline_ms, sample, out);
}

void pw_auth_vouch(struct pw_auth *auth, struct pw_str author_domain,
                   bool (*is_trusted)(const void *user, struct pw_str domain),
                   const void *user)
{
	unsigned instance;

	if (auth->dmarc.result != PW_DMARC_FAIL || auth->arc.result != PW_ARC_PASS ||
	    !auth->arc.covers_from)
		return;
	instance = pw_arc_vouched(auth->arc.chain, author_domain, is_trusted, user);
	if (instance == 0)
		return;
	auth->voucher = auth->arc.chain->sets[instance - 1].domain;
	pw_dmarc_override(&auth->dmarc, PW_DMARC_P_NONE, PW_DMARC_TRUSTED_FORWARDER);
}
