/* One connection for a program that does one thing after another (postwardctl): unlike
 * the pool's, a transaction may span several calls, and nothing is tried again. */
#pragma once

#include "core/buf.h"
#include "db/config.h"
#include "db/result.h"

struct pw_db_session;

/* Connect. config and its texts are copied; statement_timeout_ms 0 = none.
 *
 * why_out  on failure: one line, without passwords
 *
 * Errors  PW_ERR_CONFIG (conninfo), PW_ERR_TIMEOUT, PW_ERR_AWAY, PW_ERR_NOMEM
 * Owner   caller, pw_db_session_close */
PW_MUST_CHECK enum pw_status pw_db_session_open(struct pw_db_session **out,
                                                const struct pw_db_config *config,
                                                struct pw_buf *why_out);
/* The same for a thread that tries again and can be told to stop.
 *
 * failures     attempts that failed in a row: which host of the string comes first
 * stop_fd      readable: every call gives up at once with PW_ERR_AWAY; -1 = none
 * deadline_ms  monotonic; config's connect timeout counts too */
PW_MUST_CHECK enum pw_status pw_db_session_open_within(struct pw_db_session **out,
                                                       const struct pw_db_config *config,
                                                       unsigned int failures, int stop_fd,
                                                       int64_t deadline_ms,
                                                       struct pw_buf *why_out);
/* An open transaction is rolled back by the server. */
void pw_db_session_close(struct pw_db_session **session);

/* Run one statement and wait for its rows: as pw_db_exec, on this connection. After
 * PW_ERR_TIMEOUT of the deadline and after PW_ERR_AWAY nothing more will work. */
PW_MUST_CHECK enum pw_status pw_db_session_exec(struct pw_db_session *session,
                                                const char *sql,
                                                const struct pw_str *params, size_t count,
                                                int64_t deadline_ms,
                                                struct pw_db_result **out);
/* Run the statements of a file of ours up to the first that fails.
 *
 * out  of the last one; after a refusal: why, as in pw_db_exec
 *
 * Errors  as pw_db_exec; PW_ERR_PROTOCOL too for COPY FROM STDIN, which ends the session
 */
PW_MUST_CHECK enum pw_status pw_db_session_script(struct pw_db_session *session,
                                                  const char *script, int64_t deadline_ms,
                                                  struct pw_db_result **out);

/* Wait until the server says something unasked, other_fd is readable, or the deadline.
 * Returns false when the connection is gone. */
bool pw_db_session_wait(struct pw_db_session *session, int other_fd, int64_t deadline_ms);
/* Take one notification of what the session listens to, append its payload. False: there
 * is none. */
bool pw_db_session_notice(struct pw_db_session *session, struct pw_buf *payload_out);
