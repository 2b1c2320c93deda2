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
