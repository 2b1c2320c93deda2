#include "tools/dkim/put.h"

#include "core/ascii.h"
#include "core/dns.h"
#include "tools/dkim/record.h"
#include "tools/statement.h"

/* What postward-dkim signs with. */
static bool is_selector(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!pw_is_alnum(s.at[i]) && s.at[i] != '-' && s.at[i] != '_' &&
		    s.at[i] != '.')
			return false;
	return pw_dns_name_is_valid(s);
}

/* A name is in normal form in the table, which the trigger sees to. */
static enum pw_status look(struct pw_db_session *session, struct pw_str domain,
                           struct pw_str selector, struct pw_str record,
                           enum dkim_outcome *outcome, struct pw_buf *why_out)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *row = NULL;
	const struct pw_str names[] = { domain, selector };
	enum pw_status r = pw_db_session_exec(
		session,
		"SELECT public_record, state FROM mail.dkim_keys WHERE domain = "
		"mail.normal_domain($1) AND selector = mail.normal_domain($2)",
		names, PW_LEN(names), INT64_MAX, &row);

	*outcome = DKIM_MADE;
	if (r != PW_OK) {
		tool_put_why(why_out, r, row);
		return r;
	}
	if (pw_db_rows(row) == 0)
		return PW_OK;
	*outcome = dkim_is_same_key(pw_db_value(row, 0, 0), record) ? DKIM_KEPT
	                                                            : DKIM_REFUSED;
	if (*outcome == DKIM_REFUSED)
		pw_buf_printf(
			why_out,
			"another key is there under that selector (to give it up: DELETE "
			"FROM mail.dkim_keys WHERE domain = '%.*s' AND selector = "
			"'%.*s';)",
			PW_FMT(domain), PW_FMT(selector));
	return PW_OK;
}

static enum pw_status insert(struct pw_db_session *session, const struct pw_str *values,
                             size_t count, enum dkim_outcome *outcome,
                             struct pw_buf *why_out)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	enum pw_status r;

	if ((r = tool_run(session, "SAVEPOINT row", why_out)) != PW_OK)
		return r;
	r = pw_db_session_exec(session,
	                       "INSERT INTO mail.dkim_keys (domain, selector, algorithm, "
	                       "private_key, public_record) VALUES ($1, $2, $3, $4, $5)",
	                       values, count, INT64_MAX, &result);
	if (r == PW_OK)
		return PW_OK;
	tool_put_why(why_out, r, result);
	if (!tool_is_refusal(r))
		return r;
	*outcome = DKIM_REFUSED;
	return tool_run(session, "ROLLBACK TO SAVEPOINT row", why_out);
}

enum pw_status dkim_put(struct pw_db_session *session, struct pw_str domain,
                        struct pw_str selector, const struct pw_dkim_key *key,
                        enum dkim_outcome *outcome_out, struct pw_buf *record_out,
                        struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf pem = { 0 };
	struct pw_str values[5];
	enum pw_status r;

	if (!is_selector(selector)) {
		*outcome_out = DKIM_REFUSED;
		pw_buf_puts(why_out,
		            PW_STR("a selector has letters, digits, hyphens and dots"));
		return PW_OK;
	}
	if ((r = pw_dkim_key_pem(key, &pem)) != PW_OK ||
	    (r = pw_dkim_key_record(key, record_out)) != PW_OK ||
	    (r = look(session, domain, selector, pw_buf_str(record_out), outcome_out,
	              why_out)) != PW_OK ||
	    *outcome_out != DKIM_MADE)
		return r;
	values[0] = domain;
	values[1] = selector;
	values[2] = pw_str_from(pw_dkim_algorithm_text(pw_dkim_key_algorithm(key)));
	values[3] = pw_buf_str(&pem);
	values[4] = pw_buf_str(record_out);
	return insert(session, values, PW_LEN(values), outcome_out, why_out);
}
