/* PostgreSQL for threads that may wait: a few connections shared by many threads, every
 * call bounded by a deadline even when the server is a black hole. Thread-safe. */
#pragma once

#include "core/buf.h"
#include "db/config.h"
#include "db/result.h"

struct pw_db;

/* Make a pool; connects when first used. config and its texts are copied.
 *
 * connections_max  1..100
 *
 * Errors  PW_ERR_CONFIG (conninfo; why_out says what, without passwords), PW_ERR_NOMEM
 * Owner   caller, pw_db_close */
PW_MUST_CHECK enum pw_status pw_db_open(struct pw_db **out,
                                        const struct pw_db_config *config,
                                        unsigned int connections_max,
                                        struct pw_buf *why_out);
/* No call may be running. */
void pw_db_close(struct pw_db **db);

/* Run one statement and wait for its rows.
 *
 * sql          one statement with $1..$n; text of ours, never built from values
 * params       text form; at == NULL is SQL NULL; no NUL bytes inside
 * deadline_ms  monotonic clock; covers waiting for a connection, connecting and answering
 * out          rows; may be NULL. After a refusal: why (result.h), else untouched
 *
 * A connection found dead before the statement was sent is replaced within the call; a
 * statement that may have been carried out is never sent twice. While the server is away
 * calls fail at once between attempts (1..10 s apart).
 *
 * Errors  PW_ERR_TIMEOUT  deadline, or the server's statement timeout
 *         PW_ERR_AWAY     no connection, or it broke
 *         PW_ERR_DENIED   refused for lack of rights (SQLSTATE 42501, 28xxx)
 *         PW_ERR_PROTOCOL the server refused the statement for another reason
 *         PW_ERR_SYNTAX   NUL byte in a parameter; PW_ERR_LIMIT too many; PW_ERR_NOMEM
 * Owner   *out: caller, pw_db_result_free */
PW_MUST_CHECK enum pw_status pw_db_exec(struct pw_db *db, const char *sql,
                                        const struct pw_str *params, size_t count,
                                        int64_t deadline_ms, struct pw_db_result **out);
