/* One connection for a thread that may wait; not for other rooms. libpq never waits here:
 * it is used in its non-blocking form, and poll waits until the deadline. */
#pragma once

#include "db/pg.h"

struct pw_db_conn {
	const struct pw_db_target *target; /* borrowed */
	PGconn *pg;                        /* NULL = closed */
	int stop_fd; /* readable: give up at once with PW_ERR_AWAY; -1 = none */
};

/* Connect (again).
 *
 * failures     attempts that failed in a row: which host comes first
 * deadline_ms  monotonic; the config's connect timeout counts too
 * why_out      on failure: one line
 *
 * Errors  PW_ERR_TIMEOUT, PW_ERR_AWAY (refused for whatever reason), PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_db_conn_open(struct pw_db_conn *conn,
                                             unsigned int failures, int64_t deadline_ms,
                                             struct pw_buf *why_out);
void pw_db_conn_close(struct pw_db_conn *conn);
/* Open, and not closed by the server in the meantime? A wrong yes is possible. */
bool pw_db_conn_is_alive(struct pw_db_conn *conn);

/* Run one statement. As pw_db_exec, with one connection. After PW_ERR_TIMEOUT of the
 * deadline or a broken connection it is closed.
 *
 * in_doubt_out  the statement may have been carried out although this failed; may be NULL
 */
PW_MUST_CHECK enum pw_status pw_db_conn_exec(struct pw_db_conn *conn, const char *sql,
                                             const struct pw_str *params, size_t count,
                                             int64_t deadline_ms,
                                             struct pw_db_result **out,
                                             bool *in_doubt_out);
/* Run a script of several statements, as pw_db_session_script. */
PW_MUST_CHECK enum pw_status pw_db_conn_script(struct pw_db_conn *conn,
                                               const char *script, int64_t deadline_ms,
                                               struct pw_db_result **out);
/* Wait until the connection has something to read, one of the others is readable (-1 =
 * none), or the deadline. Returns false when the connection is broken (then closed). */
bool pw_db_conn_wait(struct pw_db_conn *conn, int other_fd, int64_t deadline_ms);
/* Was there a notification since the last call? */
bool pw_db_conn_was_notified(struct pw_db_conn *conn);
