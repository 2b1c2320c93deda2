#include "tools/import/store.h"

#include "tools/statement.h"

/* Values of a row are $1, $2, ... in the order of the enums of import_plan.h. An insert
 * returns a row if it made one; its second column, if any, is whether the hash is one to
 * keep. What a plan does not say is the table's default, and stays in an update. */
static const struct statements {
	const char *insert, *update, *update_more;
	size_t values, update_values;
} statements[IMPORT_KINDS] = {
	[IMPORT_DOMAIN] = { "INSERT INTO mail.virtual_domains (name, enabled, note) "
	                    "VALUES ($1, "
	                    "coalesce($2::boolean, true), coalesce($3, '')) "
	                    "ON CONFLICT (name) DO NOTHING RETURNING id",
	                    "UPDATE mail.virtual_domains SET enabled = "
	                    "coalesce($2::boolean, enabled), "
	                    "note = coalesce($3, note) WHERE name = $1",
	                    NULL, DOMAIN_VALUES, DOMAIN_VALUES },
	[IMPORT_ALIAS_DOMAIN] = { "INSERT INTO mail.alias_domains (name, target, "
	                          "enabled) VALUES ($1, $2, "
	                          "coalesce($3::boolean, true)) ON CONFLICT (name) DO "
	                          "NOTHING RETURNING id",
	                          "UPDATE mail.alias_domains SET target = $2, "
	                          "enabled = coalesce($3::boolean, enabled) WHERE name = "
	                          "$1",
	                          NULL, ALIAS_DOMAIN_VALUES, ALIAS_DOMAIN_VALUES },
	[IMPORT_USER] = { "INSERT INTO mail.virtual_users (email, quota_mb, "
	                  "quota_messages, enabled, "
	                  "may_receive, name, may_imap, may_pop3, may_smtp, may_sieve, "
	                  "allow_nets, "
	                  "password) VALUES ($1, coalesce($2::bigint, 0), "
	                  "coalesce($3::bigint, 0), "
	                  "coalesce($4::boolean, true), coalesce($5::boolean, true), "
	                  "coalesce($6, ''), "
	                  "coalesce($7::boolean, true), coalesce($8::boolean, true), "
	                  "coalesce($9::boolean, true), coalesce($10::boolean, true), "
	                  "string_to_array($11, ',')::cidr[], "
	                  "CASE WHEN mail.is_password_hash($12) THEN $12 END) "
	                  "ON CONFLICT (email) DO NOTHING RETURNING id, "
	                  "mail.is_password_hash($12)",
	                  "UPDATE mail.virtual_users SET quota_mb = coalesce($2::bigint, "
	                  "quota_mb), "
	                  "quota_messages = coalesce($3::bigint, quota_messages), "
	                  "enabled = coalesce($4::boolean, enabled), "
	                  "may_receive = coalesce($5::boolean, may_receive), name = "
	                  "coalesce($6, name), "
	                  "may_imap = coalesce($7::boolean, may_imap), "
	                  "may_pop3 = coalesce($8::boolean, may_pop3), "
	                  "may_smtp = coalesce($9::boolean, may_smtp), "
	                  "may_sieve = coalesce($10::boolean, may_sieve), "
	                  "allow_nets = coalesce(string_to_array($11, ',')::cidr[], "
	                  "allow_nets) "
	                  "WHERE email = $1",
	                  "UPDATE mail.virtual_users SET password = $2 WHERE email = $1 "
	                  "AND "
	                  "mail.is_password_hash($2) RETURNING true, true",
	                  USER_VALUES, USER_PASSWORD },
	[IMPORT_ALIAS] = { "INSERT INTO mail.virtual_aliases (source, destination, "
	                   "enabled) VALUES "
	                   "($1, $2, coalesce($3::boolean, true)) "
	                   "ON CONFLICT (source, destination) DO NOTHING RETURNING id",
	                   "UPDATE mail.virtual_aliases SET enabled = "
	                   "coalesce($3::boolean, enabled) "
	                   "WHERE source = $1 AND destination = $2",
	                   NULL, ALIAS_VALUES, ALIAS_VALUES },
	[IMPORT_PERMISSION] = { "INSERT INTO mail.sender_permissions (login, pattern) "
	                        "VALUES ($1, $2) "
	                        "ON CONFLICT (login, pattern) DO NOTHING RETURNING id",
	                        "UPDATE mail.sender_permissions SET enabled = true "
	                        "WHERE login = $1 AND pattern = $2",
	                        NULL, PERMISSION_VALUES, PERMISSION_VALUES },
};

struct work {
	struct pw_db_session *session;
	struct import_plan *plan;
	const struct import_how *how;
	struct import_result *result;
	struct pw_buf *why_out;
};

static enum pw_status must(struct work *w, const char *sql)
{
	return tool_run(w->session, sql, w->why_out);
}

/* A hash of a known scheme that is not well formed is not kept. */
static void note_hash(struct work *w, const struct import_row *row, bool is_kept)
{
	if (row->kind == IMPORT_USER && row->values[USER_PASSWORD].at && !is_kept)
		import_note(w->plan, &w->plan->locked, row->place, row->values[0],
		            PW_STR("its hash is malformed, or asks for too much work"));
}

static enum pw_status set_password(struct work *w, const struct import_row *row,
                                   struct pw_db_result **result)
{
	const struct pw_str values[] = { row->values[USER_EMAIL],
		                         row->values[USER_PASSWORD] };
	enum pw_status r;

	if (values[1].at == NULL)
		return PW_OK;
	pw_db_result_free(result);
	r = pw_db_session_exec(w->session, statements[row->kind].update_more, values,
	                       PW_LEN(values), INT64_MAX, result);
	if (r == PW_OK)
		note_hash(w, row, pw_db_rows(*result) > 0);
	return r;
}

static enum pw_status update_row(struct work *w, const struct import_row *row,
                                 struct pw_db_result **result)
{
	const struct statements *s = &statements[row->kind];
	enum pw_status r;

	pw_db_result_free(result);
	r = pw_db_session_exec(w->session, s->update, row->values, s->update_values,
	                       INT64_MAX, result);
	if (r == PW_OK && s->update_more)
		r = set_password(w, row, result);
	if (r == PW_OK)
		w->result->updated[row->kind]++;
	return r;
}

static enum pw_status put_row(struct work *w, const struct import_row *row,
                              struct pw_db_result **result)
{
	const struct statements *s = &statements[row->kind];
	enum pw_status r = pw_db_session_exec(w->session, s->insert, row->values,
	                                      s->values, INT64_MAX, result);

	if (r != PW_OK)
		return r;
	if (pw_db_rows(*result) > 0) {
		w->result->made[row->kind]++;
		note_hash(w, row, pw_db_bool(*result, 0, 1));
		return PW_OK;
	}
	if (w->how->is_update)
		return update_row(w, row, result);
	w->result->kept[row->kind]++;
	import_note(w->plan, &w->result->kept_rows, row->place, row->values[0],
	            pw_str_from(import_kind_text(row->kind)));
	return PW_OK;
}

/* A row that is refused takes no other one with it. */
static enum pw_status store_row(struct work *w, const struct import_row *row)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r;

	if ((r = must(w, "SAVEPOINT row")) != PW_OK)
		return r;
	r = put_row(w, row, &result);
	if (r == PW_OK)
		return must(w, "RELEASE SAVEPOINT row");
	tool_put_why(&why, r, result);
	if (!tool_is_refusal(r)) {
		pw_buf_puts(w->why_out, pw_buf_str(&why));
		return r;
	}
	import_note(w->plan, &w->plan->skipped, row->place, row->values[0],
	            pw_buf_str(&why));
	if ((r = must(w, "ROLLBACK TO SAVEPOINT row")) != PW_OK)
		return r;
	return must(w, "RELEASE SAVEPOINT row");
}

enum pw_status import_store(struct pw_db_session *session, struct import_plan *plan,
                            const struct import_how *how, struct import_result *out,
                            struct pw_buf *why_out)
{
	struct work w = { session, plan, how, out, why_out };
	enum pw_status r;

	*out = (struct import_result){ 0 };
	out->kept_rows.end = &out->kept_rows.first;
	if ((r = must(&w, "BEGIN")) != PW_OK)
		return r;
	for (size_t kind = 0; kind < IMPORT_KINDS; kind++)
		for (const struct import_row *row = plan->rows[kind]; row;
		     row = row->next)
			if ((r = store_row(&w, row)) != PW_OK)
				return r;
	if (plan->status != PW_OK)
		return plan->status;
	return must(&w, how->is_dry_run ? "ROLLBACK" : "COMMIT");
}
