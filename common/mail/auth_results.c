#include "mail/auth.h"

#include "mail/arc_results.h"

#define RESULTS_MAX (PW_DKIM_FIELDS_MAX + 8)

/* Properties of one result, in the order they are added. */
static void add(struct pw_authres_result *result, const char *name, struct pw_str value)
{
	size_t n = 0;

	if (value.len == 0)
		return;
	while (n < PW_AUTHRES_PROPERTIES_MAX && result->properties[n].name.len > 0)
		n++;
	if (n == PW_AUTHRES_PROPERTIES_MAX)
		return;
	result->properties[n].name = pw_str_from(name);
	result->properties[n].value = value;
}

static void put_auth(struct pw_authres_result *out, struct pw_str login)
{
	*out = (struct pw_authres_result){ .method = PW_STR("auth"),
		                           .result = PW_STR("pass") };
	add(out, "smtp.auth", login);
}

/* RFC 8601 2.7.2: which of both names was looked at shows in the property. */
static void put_spf(struct pw_authres_result *out, enum pw_spf_result result,
                    bool is_helo, struct pw_str identity)
{
	*out = (struct pw_authres_result){
		.method = PW_STR("spf"),
		.result = pw_str_from(pw_spf_result_text(result)),
	};
	add(out, is_helo ? "smtp.helo" : "smtp.mailfrom", identity);
}

/* RFC 8601 2.7.1; header.a and header.s as registered. */
static void put_dkim(struct pw_authres_result *out, const struct pw_dkim_verdict *v)
{
	*out = (struct pw_authres_result){
		.method = PW_STR("dkim"),
		.result = pw_str_from(pw_dkim_result_text(v->result)),
		.reason = pw_str_from(v->reason),
	};
	add(out, "header.d", v->domain);
	if (v->domain.len > 0)
		add(out, "header.i", v->identity);
	add(out, "header.s", v->selector);
	add(out, "header.a", v->algorithm);
	add(out, "header.b", v->signature_start);
}

static void put_unsigned(struct pw_authres_result *out)
{
	*out = (struct pw_authres_result){ .method = PW_STR("dkim"),
		                           .result = PW_STR("none") };
}

/* With how many sets were looked at: who seals goes on from there. RFC 8617 6. */
static void put_arc(struct pw_authres_result *out, const struct pw_auth *auth,
                    struct pw_buf *sets)
{
	pw_buf_put_int(sets, auth->arc.chain->count);
	*out = (struct pw_authres_result){
		.method = PW_STR("arc"),
		.result = pw_str_from(pw_arc_result_text(auth->arc.result)),
		.reason = pw_str_from(auth->arc.reason),
	};
	add(out, PW_ARC_SETS_PROPERTY, pw_buf_str(sets));
	add(out, "smtp.remote-ip", auth->client);
}

/* policy.dmarc is what is to be done after pct, t and overrides, as registered; the
 * reason says why it is not what the domain asks for. */
static void put_dmarc(struct pw_authres_result *out, const struct pw_auth *auth,
                      struct pw_str author_domain)
{
	const struct pw_dmarc_outcome *dmarc = &auth->dmarc;

	*out = (struct pw_authres_result){
		.method = PW_STR("dmarc"),
		.result = pw_str_from(pw_dmarc_result_text(dmarc->result)),
		.reason = pw_str_from(pw_dmarc_reason_text(dmarc->reason)),
	};
	add(out, "header.from", author_domain);
	if (dmarc->has_record)
		add(out, "policy.dmarc",
		    pw_str_from(pw_dmarc_policy_text(dmarc->disposition)));
	if (dmarc->result == PW_DMARC_FAIL)
		add(out, "policy.published",
		    pw_str_from(pw_dmarc_policy_text(dmarc->policy)));
	add(out, "policy.arc-sealer", auth->voucher);
}

static void put_iprev(struct pw_authres_result *out, const struct pw_auth *auth)
{
	*out = (struct pw_authres_result){ .method = PW_STR("iprev"),
		                           .result = pw_str_from(auth->iprev) };
	add(out, "policy.iprev", auth->client);
}

void pw_auth_put_results(struct pw_buf *out, const struct pw_auth *auth,
                         struct pw_str authserv_id, struct pw_str author_domain,
                         struct pw_str login)
{
	PW_AUTO(pw_buf_done) struct pw_buf sets = { 0 };
	struct pw_authres_result results[RESULTS_MAX];
	size_t count = 0;

	if (login.len > 0)
		put_auth(&results[count++], login);
	if (auth->has_spf)
		put_spf(&results[count++], auth->spf.result, auth->is_spf_helo,
		        auth->spf_identity);
	if (auth->has_helo)
		put_spf(&results[count++], auth->helo.result, true, auth->helo_name);
	for (size_t i = 0; i < auth->dkim_count && i < PW_DKIM_FIELDS_MAX; i++)
		put_dkim(&results[count++], &auth->dkim[i]);
	if (auth->dkim_count == 0 && login.len == 0)
		put_unsigned(&results[count++]);
	if (auth->arc.chain != NULL)
		put_arc(&results[count++], auth, &sets);
	if (author_domain.len > 0 && login.len == 0)
		put_dmarc(&results[count++], auth, author_domain);
	if (auth->iprev != NULL && auth->client.len > 0)
		put_iprev(&results[count++], auth);
	pw_authres_put(out, authserv_id, results, count);
}
