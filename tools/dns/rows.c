#include "tools/dns/rows.h"

#include <string.h>

#include "core/json.h"

static enum pw_status query(struct pw_db_result **out, struct pw_db_session *session,
                            const char *sql, const struct pw_str *params, size_t count,
                            struct pw_buf *why)
{
	enum pw_status r =
		pw_db_session_exec(session, sql, params, count, INT64_MAX, out);
	const char *message = pw_db_message(*out);

	if (r != PW_OK)
		pw_buf_puts(why, pw_str_from(message[0] != '\0' ? message
		                                                : pw_status_text(r)));
	return r;
}

static enum pw_status read_row(struct dns_record *out, struct pw_arena *arena,
                               const struct pw_db_result *rows, size_t row)
{
	struct pw_str *const fields[] = { &out->domain, &out->name, &out->type,
		                          &out->value,  &out->note, &out->kind };
	enum pw_status r = PW_OK;

	for (size_t i = 0; r == PW_OK && i < PW_LEN(fields); i++)
		r = pw_arena_copy(arena, pw_db_value(rows, row, i), fields[i]);
	out->needed = pw_db_bool(rows, row, PW_LEN(fields));
	return r;
}

/* {"example.org","example.net"} for SQL; NULL is all. */
static void put_array(struct pw_buf *out, const char *const *domains, size_t count)
{
	pw_buf_putc(out, '{');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			pw_buf_putc(out, ',');
		pw_json_put_string(out, pw_str_from(domains[i]));
	}
	pw_buf_putc(out, '}');
}

/* Every name has to be a domain of ours, be it that it has no record. */
static enum pw_status check_names(struct pw_db_session *session, struct pw_str names,
                                  struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	enum pw_status r = query(&rows, session,
	                         "SELECT d FROM unnest($1::text[]) AS d WHERE NOT EXISTS "
	                         "(SELECT FROM mail.dns_records AS r "
	                         "WHERE r.domain = mail.normal_domain(d))",
	                         &names, 1, why);

	if (r != PW_OK || pw_db_rows(rows) == 0)
		return r;
	pw_buf_printf(why, "%.*s is no domain that we take mail for",
	              PW_FMT(pw_db_value(rows, 0, 0)));
	return PW_ERR_NOTFOUND;
}

enum pw_status dns_rows_read(struct dns_survey *out, struct pw_db_session *session,
                             const char *const *domains, size_t count, bool only_keys,
                             struct pw_buf *why)
{
	static const char sql[] =
		"SELECT r.domain, r.name, r.type, r.value, r.note, r.kind, r.needed "
		"FROM mail.dns_records AS r "
		"WHERE ($1::text[] IS NULL OR r.kind IN ('address', 'ptr') OR r.domain "
	        "IN "
		"(SELECT mail.normal_domain(d) FROM unnest($1::text[]) AS d)) "
		"AND (NOT $2::boolean OR r.kind = 'dkim') ORDER BY r.kind IN ('address', "
	        "'ptr'), r.domain, "
		"array_position('{mx,spf,dkim,dmarc,text,tlsrpt,srv,address,ptr}', "
	        "r.kind), r.name, "
		"r.value";
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf names = { 0 };
	struct pw_str params[] = { { NULL, 0 }, only_keys ? PW_STR("t") : PW_STR("f") };
	enum pw_status r = pw_arena_new(&out->arena, 0);

	if (count > 0) {
		put_array(&names, domains, count);
		params[0] = pw_buf_str(&names);
		if (r == PW_OK)
			r = check_names(session, params[0], why);
	}
	if (r != PW_OK ||
	    (r = query(&rows, session, sql, params, PW_LEN(params), why)) != PW_OK)
		return r;
	if (pw_db_rows(rows) > DNS_RECORDS_MAX)
		return PW_ERR_LIMIT;
	out->at = pw_arena_array(out->arena, pw_db_rows(rows) + 1, sizeof(*out->at));
	if (out->at == NULL)
		return PW_ERR_NOMEM;
	for (size_t i = 0; r == PW_OK && i < pw_db_rows(rows); i++)
		r = read_row(&out->at[out->count++], out->arena, rows, i);
	return r;
}

static void put_addresses(struct pw_buf *out, const struct dns_host *host,
                          const struct pw_dns_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		pw_buf_printf(out, "%s%.*s=", out->len > 0 ? " " : "",
		              PW_FMT(host->name));
		pw_ip_put(out, answer->records[i].ip);
	}
}

/* Half an answer would be taken for the whole one ever after. */
static bool is_answered(const struct dns_host *host)
{
	return !pw_dns_is_error(&host->four.answer) &&
	       !pw_dns_is_error(&host->six.answer);
}

enum pw_status dns_rows_fill(const struct dns_survey *survey,
                             struct pw_db_session *session, bool *is_filled_out,
                             struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct pw_str param;
	enum pw_status r;

	*is_filled_out = false;
	for (size_t i = 0; i < survey->host_count; i++) {
		if (!is_answered(&survey->hosts[i]))
			return PW_OK;
		put_addresses(&value, &survey->hosts[i], &survey->hosts[i].four.answer);
		put_addresses(&value, &survey->hosts[i], &survey->hosts[i].six.answer);
	}
	if ((r = pw_buf_status(&value)) != PW_OK || value.len == 0)
		return r;
	param = pw_buf_str(&value);
	r = query(&rows, session, "SELECT mail.fill_mx_addresses($1)", &param, 1, why);
	*is_filled_out = r == PW_OK && pw_db_bool(rows, 0, 0);
	return r;
}

static void put_answer(struct pw_buf *out, const struct dns_record *r)
{
	const struct {
		const char *name;
		struct pw_str value;
	} members[] = {
		{ "name", r->name },   { "type", r->type },
		{ "value", r->value }, { "state", pw_str_from(dns_state_text(r->state)) },
		{ "seen", r->seen },   { "problem", r->problem },
	};

	for (size_t i = 0; i < PW_LEN(members); i++) {
		pw_buf_printf(out, "%c\"%s\":", i > 0 ? ',' : '{', members[i].name);
		pw_json_put_string(out, members[i].value);
	}
	pw_buf_putc(out, '}');
}

enum pw_status dns_rows_record(const struct dns_survey *survey,
                               struct pw_db_session *session, struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf json = { 0 };
	struct pw_str param;

	pw_buf_putc(&json, '[');
	for (size_t i = 0; i < survey->count; i++) {
		if (i > 0)
			pw_buf_putc(&json, ',');
		put_answer(&json, &survey->at[i]);
	}
	pw_buf_putc(&json, ']');
	if (pw_buf_status(&json) != PW_OK)
		return PW_ERR_NOMEM;
	param = pw_buf_str(&json);
	return query(&rows, session, "SELECT mail.record_dns($1::jsonb)", &param, 1, why);
}
