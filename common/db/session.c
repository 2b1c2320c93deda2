#include "db/session.h"

#include <stdlib.h>

#include "db/conn.h"

struct pw_db_session {
	struct pw_db_target *target;
	struct pw_db_conn conn;
};

enum pw_status pw_db_session_open(struct pw_db_session **out,
                                  const struct pw_db_config *config,
                                  struct pw_buf *why_out)
{
	return pw_db_session_open_within(out, config, 0, -1, INT64_MAX, why_out);
}

enum pw_status pw_db_session_open_within(struct pw_db_session **out,
                                         const struct pw_db_config *config,
                                         unsigned int failures, int stop_fd,
                                         int64_t deadline_ms, struct pw_buf *why_out)
{
	PW_AUTO(pw_db_session_close) struct pw_db_session *s = calloc(1, sizeof(*s));
	enum pw_status r;

	if (!s)
		return PW_ERR_NOMEM;
	if ((r = pw_db_target_new(&s->target, config, why_out)) != PW_OK)
		return r;
	s->conn = (struct pw_db_conn){ s->target, NULL, stop_fd };
	if ((r = pw_db_conn_open(&s->conn, failures, deadline_ms, why_out)) != PW_OK)
		return r;
	*out = PW_TAKE(s);
	return PW_OK;
}

void pw_db_session_close(struct pw_db_session **session)
{
	struct pw_db_session *s = *session;

	if (!s)
		return;
	pw_db_conn_close(&s->conn);
	pw_db_target_free(&s->target);
	free(s);
	*session = NULL;
}

enum pw_status pw_db_session_exec(struct pw_db_session *session, const char *sql,
                                  const struct pw_str *params, size_t count,
                                  int64_t deadline_ms, struct pw_db_result **out)
{
	return pw_db_conn_exec(&session->conn, sql, params, count, deadline_ms, out,
	                       NULL);
}

enum pw_status pw_db_session_script(struct pw_db_session *session, const char *script,
                                    int64_t deadline_ms, struct pw_db_result **out)
{
	return pw_db_conn_script(&session->conn, script, deadline_ms, out);
}

bool pw_db_session_wait(struct pw_db_session *session, int other_fd, int64_t deadline_ms)
{
	return pw_db_conn_wait(&session->conn, other_fd, deadline_ms);
}

bool pw_db_session_notice(struct pw_db_session *session, struct pw_buf *payload_out)
{
	PGnotify *notify = session->conn.pg != NULL ? PQnotifies(session->conn.pg) : NULL;

	if (notify == NULL)
		return false;
	pw_buf_puts(payload_out, pw_str_from(notify->extra));
	PQfreemem(notify);
	return true;
}
