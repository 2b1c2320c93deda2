#include "mail/judge.h"

#include "core/map.h"
#include "core/url.h"
#include "io/clock.h"
#include "mail/message_tokens.h"
#include "mail/reading.h"

struct pw_judge {
	struct pw_arena *arena;
	const struct pw_judge_tools *tools;
	const struct pw_envelope *envelope;
	struct pw_message *message;
	struct pw_auth_run *auth; /* NULL when nothing is verified */
	struct pw_hits hits;
	struct pw_rules_limited limited;
	struct pw_tokens *tokens;      /* NULL when Bayes is not asked */
	struct pw_dns_list_run *lists; /* NULL when no list is asked */
	int64_t now_ms;
};

static enum pw_status start_auth(struct pw_judge *j)
{
	const struct pw_envelope *e = j->envelope;
	PW_AUTO(pw_buf_done) struct pw_buf from = { 0 };
	struct pw_spf_input input;
	enum pw_status r;

	r = pw_auth_new(&j->auth, j->arena, j->tools->resolver, j->tools->dkim,
	                j->tools->psl, j->now_ms);
	if (r != PW_OK || e->origin.address.family == PW_IP_NONE || !e->has_sender)
		return r;
	if (e->sender.domain.len > 0)
		pw_address_put(&from, &e->sender);
	if ((r = pw_buf_status(&from)) != PW_OK) /* a cut one would be another's SPF */
		return r;
	input = (struct pw_spf_input){
		.ip = e->origin.address,
		.helo = e->origin.helo,
		.from = pw_buf_str(&from),
		.receiver = e->our_name,
		.now_s = j->now_ms / 1000,
	};
	return pw_auth_spf(j->auth, &input);
}

/* What is known before the message comes. */
static enum pw_status start_lists(struct pw_judge *j)
{
	const struct pw_origin *o = &j->envelope->origin;
	enum pw_status r;

	if ((r = pw_dns_list_run_new(&j->lists, j->arena, j->tools->resolver,
	                             j->tools->dns_lists, j->tools->psl)) != PW_OK ||
	    (r = pw_dns_list_ask_address(j->lists, PW_DNS_LIST_CLIENT, o->address)) !=
	            PW_OK ||
	    (r = pw_dns_list_ask_domain(j->lists, PW_DNS_LIST_NAME, o->name)) != PW_OK ||
	    (r = pw_dns_list_ask_domain(j->lists, PW_DNS_LIST_HELO, o->helo)) != PW_OK)
		return r;
	return pw_dns_list_ask_domain(j->lists, PW_DNS_LIST_SENDER,
	                              j->envelope->sender.domain);
}

static enum pw_status start(struct pw_judge *j)
{
	enum pw_status r;

	if (j->tools->resolver == NULL || j->envelope->origin.login.len > 0)
		return PW_OK;
	r = start_auth(j);
	return r == PW_OK && j->tools->dns_lists != NULL ? start_lists(j) : r;
}

enum pw_status pw_judge_new(struct pw_judge **out, struct pw_arena *arena,
                            const struct pw_judge_tools *tools,
                            const struct pw_envelope *envelope, int64_t now_ms)
{
	struct pw_judge *j = pw_arena_alloc(arena, sizeof(*j));
	enum pw_status r;

	if (j == NULL)
		return PW_ERR_NOMEM;
	j->arena = arena;
	j->tools = tools;
	j->envelope = envelope;
	j->now_ms = now_ms;
	r = pw_message_new(&j->message, arena);
	if (r == PW_OK)
		r = start(j);
	if (r == PW_OK)
		*out = j;
	else
		pw_judge_free(&j);
	return r;
}

void pw_judge_free(struct pw_judge **judge)
{
	if (*judge == NULL)
		return;
	pw_auth_free(&(*judge)->auth);
	pw_dns_list_run_free(&(*judge)->lists);
	pw_message_done(&(*judge)->message);
	*judge = NULL;
}

enum pw_status pw_judge_header(struct pw_judge *j, struct pw_str name,
                               struct pw_str value)
{
	enum pw_status r = pw_message_field(j->message, name, value);

	if (r != PW_OK || j->auth == NULL)
		return r;
	return pw_auth_header(j->auth, name, value);
}

enum pw_status pw_judge_eoh(struct pw_judge *j, bool is_cut)
{
	enum pw_status r = pw_message_eoh(j->message);

	j->message->has_body_in_header = is_cut;
	if (r == PW_OK && j->lists != NULL && j->message->has_from)
		r = pw_dns_list_ask_domain(j->lists, PW_DNS_LIST_FROM,
		                           j->message->from.domain);
	if (r != PW_OK || j->auth == NULL)
		return r;
	return pw_auth_eoh(j->auth, j->message->has_from ? &j->message->from : NULL);
}

enum pw_status pw_judge_body(struct pw_judge *j, struct pw_str chunk)
{
	enum pw_status r = pw_message_body(j->message, chunk);

	if (r != PW_OK || j->auth == NULL)
		return r;
	return pw_auth_body(j->auth, chunk);
}

/* 0..99 from the message itself: the same message gets the same answer each time. */
static uint8_t sample(const struct pw_message *m)
{
	static const uint8_t key[16] = "DMARC pct";
	const struct pw_field *id = pw_message_find(m, "Message-ID");

	return (uint8_t)(pw_siphash(key, id != NULL ? id->text : PW_STR("")) % 100);
}

/* What the connection says beside SPF, DKIM and ARC (RFC 8601 2.7.3). */
static enum pw_status note_client(const struct pw_judge *j, struct pw_auth *auth)
{
	static const char *const words[] = { [PW_NAME_KNOWN] = "pass",
		                             [PW_NAME_NONE] = "permerror",
		                             [PW_NAME_TEMPORARY] = "temperror" };
	const struct pw_origin *origin = &j->envelope->origin;
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };

	if (origin->address.family == PW_IP_NONE)
		return PW_OK;
	pw_ip_put(&address, origin->address);
	auth->iprev = words[origin->name_state];
	if (origin->name_state == PW_NAME_NONE && origin->ptr.len > 0)
		auth->iprev = "fail"; /* there is a name, and it does not lead back */
	return pw_arena_copy(j->arena, pw_buf_str(&address), &auth->client);
}

static void override(const struct pw_judge *j, struct pw_auth *auth)
{
	const struct pw_judge_tools *tools = j->tools;
	enum pw_dmarc_policy disposition;

	if (!j->message->has_from)
		return;
	if (tools->is_trusted_sealer != NULL)
		pw_auth_vouch(auth, j->message->from.domain, tools->is_trusted_sealer,
		              tools->user);
	if (auth->voucher.len == 0 && tools->dmarc_override != NULL &&
	    tools->dmarc_override(tools->user, j->message->from.domain, &disposition))
		pw_dmarc_override(&auth->dmarc, disposition, PW_DMARC_LOCAL_POLICY);
}

/* Last of all: it is the dearest, and only the answer is kept.
 *
 * Errors  PW_ERR_NOMEM */
static enum pw_status ask_bayes(struct pw_judge *j, struct pw_verdict *out)
{
	struct pw_bayes_counts *counts;
	struct pw_bayes_result *result;

	out->bayes = NULL;
	out->tokens = j->tokens;
	if (j->tokens == NULL)
		return PW_OK;
	counts = pw_arena_alloc(j->arena, sizeof(*counts));
	result = pw_arena_alloc(j->arena, sizeof(*result));
	if (counts == NULL || result == NULL)
		return PW_ERR_NOMEM;
	if (!j->tools->recall(j->tools->memory, j->envelope, j->tokens, counts))
		return PW_OK;
	pw_bayes_decide(result, counts, j->tokens->count);
	out->bayes = result;
	return PW_OK;
}

static struct pw_check check_of(struct pw_judge *j, const struct pw_verdict *verdict)
{
	return (struct pw_check){
		.message = j->message,
		.envelope = j->envelope,
		.auth = verdict != NULL && verdict->has_auth ? &verdict->auth : NULL,
		.bayes = verdict != NULL ? verdict->bayes : NULL,
		.own_rules = j->tools->own_rules,
		.own_maps = j->tools->own_maps,
		.limited = &j->limited,
		.psl = j->tools->psl,
		.is_local_domain = j->tools->is_local_domain,
		.user = j->tools->user,
		.arena = j->arena,
		.hits = &j->hits,
		.now_s = j->now_ms / 1000,
	};
}

static enum pw_status read_here(struct pw_judge *j)
{
	struct pw_check check = check_of(j, NULL);
	enum pw_status r = pw_message_end(j->message);

	if (r != PW_OK)
		return r;
	pw_checks_content(&check);
	if (j->tokens != NULL)
		pw_message_tokens(j->tokens, j->message, j->envelope->origin.address);
	return PW_OK;
}

static enum pw_status read_elsewhere(struct pw_judge *j, const struct pw_weights *weights)
{
	PW_AUTO(pw_buf_done) struct pw_buf job = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf answer = { 0 };
	struct pw_reading reading = { .hits = &j->hits,
		                      .weights = weights,
		                      .tokens = j->tokens,
		                      .links = &j->message->links,
		                      .limited = &j->limited };
	enum pw_status r;

	r = pw_reading_put_job(&job, j->message, j->envelope, j->tokens != NULL,
	                       j->now_ms / 1000);
	if (r != PW_OK ||
	    (r = j->tools->read(j->tools->reader, pw_buf_str(&job), &answer)) != PW_OK)
		return r;
	return pw_reading_take(&reading, j->arena, pw_buf_str(&answer));
}

/* Mail of a login is not asked about in Bayes. */
static enum pw_status read_content(struct pw_judge *j, const struct pw_weights *weights)
{
	if (j->tools->recall != NULL && j->envelope->origin.login.len == 0) {
		j->tokens = pw_arena_alloc(j->arena, sizeof(*j->tokens));
		if (j->tokens == NULL)
			return PW_ERR_NOMEM;
	}
	return j->tools->read != NULL ? read_elsewhere(j, weights) : read_here(j);
}

static enum pw_status end_auth(struct pw_judge *j, int64_t deadline_ms,
                               struct pw_verdict *out)
{
	enum pw_status r;

	out->has_auth = j->auth != NULL;
	out->auth = (struct pw_auth){ 0 };
	if (j->auth != NULL && ((r = pw_auth_end(j->auth, deadline_ms, sample(j->message),
	                                         &out->auth)) != PW_OK ||
	                        (r = note_client(j, &out->auth)) != PW_OK))
		return r;
	override(j, &out->auth);
	return PW_OK;
}

/* The counts of what nobody knows stay 0, and say nothing.
 *
 * Errors  PW_ERR_NOMEM */
static enum pw_status ask_standing(struct pw_judge *j, struct pw_verdict *out)
{
	struct pw_check check = check_of(j, out);
	struct pw_reputation *sources;

	out->sources = NULL;
	if (j->tools->standing == NULL || j->envelope->origin.login.len > 0)
		return PW_OK;
	if ((sources = pw_arena_alloc(j->arena, sizeof(*sources))) == NULL)
		return PW_ERR_NOMEM;
	pw_checks_sources(&check, sources);
	out->sources = sources;
	if (sources->count > 0)
		(void)j->tools->standing(j->tools->memory, sources);
	return PW_OK;
}

static void note_virus(struct pw_judge *j, struct pw_verdict *out)
{
	out->virus = PW_STR("");
	if (j->tools->find_virus != NULL &&
	    j->tools->find_virus(j->tools->scan, j->arena, &out->virus))
		pw_hits_add(&j->hits, PW_SYM_CLAM_VIRUS, 1000, out->virus);
}

/* A link's host is a name as the reader found it: what DNS is asked is one of the list's.
 */
static enum pw_status ask_about_links(struct pw_judge *j)
{
	const struct pw_links *links = &j->message->links;
	enum pw_status r = PW_OK;

	if (j->lists == NULL)
		return PW_OK;
	for (size_t i = 0; i < links->count && r == PW_OK; i++) {
		struct pw_url_host host;
		struct pw_url url;

		if (!pw_url_parse(&url, links->at[i].url))
			continue;
		pw_url_host_read(&host, &url);
		if (host.ip.family == PW_IP_NONE)
			r = pw_dns_list_ask_domain(j->lists, PW_DNS_LIST_URL,
			                           pw_url_host_str(&host));
	}
	return r;
}

static enum pw_status end_lists(struct pw_judge *j, const struct pw_auth *auth)
{
	enum pw_status r = PW_OK;

	if (j->lists == NULL)
		return PW_OK;
	for (size_t i = 0; i < auth->dkim_count && r == PW_OK; i++)
		if (auth->dkim[i].result == PW_DKIM_PASS)
			r = pw_dns_list_ask_domain(j->lists, PW_DNS_LIST_DKIM,
			                           auth->dkim[i].domain);
	if (r != PW_OK)
		return r;
	return pw_dns_list_run_end(
		j->lists, pw_clock_mono_ms() + j->tools->dns_lists_wait_ms, &j->hits);
}

enum pw_status pw_judge_end(struct pw_judge *j, const struct pw_weights *weights,
                            int64_t deadline_ms, struct pw_verdict *out)
{
	enum pw_status r = read_content(j, weights);
	struct pw_check check;

	out->message = j->message;
	out->limited = &j->limited;
	out->is_unread = r == PW_ERR_DENIED;
	if (out->is_unread) {
		pw_hits_add(&j->hits, PW_SYM_UNREADABLE, 1000, PW_STR(""));
		j->tokens = NULL;
		r = PW_OK;
	}
	if (r != PW_OK || (r = ask_about_links(j)) != PW_OK ||
	    (r = end_auth(j, deadline_ms, out)) != PW_OK ||
	    (r = ask_bayes(j, out)) != PW_OK || (r = ask_standing(j, out)) != PW_OK ||
	    (r = end_lists(j, &out->auth)) != PW_OK)
		return r;
	note_virus(j, out);
	check = check_of(j, out);
	check.reputation = out->sources;
	pw_checks_session(&check);
	if (j->tools->composites != NULL)
		pw_composites_apply(j->tools->composites, &j->hits, weights, j->arena);
	pw_score_decide(&out->plan, &j->hits, weights);
	if (out->is_unread && out->virus.len == 0)
		out->plan.action = out->plan.dry_action = PW_ACTION_NONE;
	return PW_OK;
}
