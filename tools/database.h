/* The database as subcommands use it: one session, statements that may take their time.
 */
#pragma once

#include "db/session.h"

/* Connect and check that the server can carry the schema.
 *
 * conninfo  libpq string; NULL = setting `database` of /etc/postward/postward.conf.
 *           Root, where the string leads to a local socket and names no user, connects
 *           as postgres
 * exit_out  set on failure: what to exit with; why has been written to standard error
 *
 * Returns NULL on failure.
 * Owner   caller, pw_db_session_close */
struct pw_db_session *tool_database_open(const char *conninfo, int *exit_out);

/* Only connect, and say nothing.
 *
 * why_out  on failure: one line, without passwords
 *
 * Errors  as pw_db_session_open
 * Owner   caller, pw_db_session_close */
PW_MUST_CHECK enum pw_status tool_database_connect(struct pw_db_session **out,
                                                   const char *conninfo,
                                                   struct pw_buf *why_out);

/* One statement with text parameters, NULL being SQL NULL. Returns its rows, or NULL
 * after writing the server's message, and its hint, to standard error.
 *
 * Owner   caller, pw_db_result_free */
struct pw_db_result *tool_query(struct pw_db_session *session, const char *sql,
                                size_t count, const char *const *values);
