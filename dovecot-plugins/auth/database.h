/* The database as the drivers see it: one asynchronous client per auth process and
 * conninfo, on Dovecot's ioloop, shared by passdb and userdb. It connects with the first
 * query. */
#pragma once

#include "lib.h" /* before ours: it brings a bool of its own */

#include "db/async.h"

struct database;

/* A client for conninfo, made if there is none yet.
 *
 * prepared  false: no prepared statements (PgBouncer in transaction mode)
 * error_r   in the data stack
 *
 * Returns 0, or -1 when the conninfo is wrong.
 * Owner    caller, database_unref */
int database_ref(struct database **out, const char *conninfo, bool prepared,
                 const char **error_r);
/* The last one fails what is outstanding with PW_ERR_AWAY. */
void database_unref(struct database **database);

/* pw_db_async_query, with the time to wait instead of a deadline. */
PW_MUST_CHECK enum pw_status database_ask(struct database *database,
                                          const struct pw_db_statement *statement,
                                          const struct pw_str *params, size_t count,
                                          int64_t wait_ms, pw_db_async_done_fn *done,
                                          void *arg);

/* Milliseconds of the clock all waits here are measured with. */
int64_t database_now_ms(void);

/* A value as C string in the data stack; NULL for SQL NULL. */
const char *database_text(const struct pw_db_result *result, size_t row, size_t column);
/* Why a query failed, for a log line. */
const char *database_why(enum pw_status status, const struct pw_db_result *result);
