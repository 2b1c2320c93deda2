/* PostgreSQL for event loops: one connection in pipeline mode, the loop passed in. No
 * thread, signal, log or exit, and nothing of io: it also runs as a guest in Dovecot's
 * auth process.
 *
 * Everything happens on the caller's thread, in pw_db_async_on_fd and
 * pw_db_async_on_timer; a callback is never called from within pw_db_async_query, and may
 * itself query. */
#pragma once

#include "core/buf.h"
#include "db/config.h"
#include "db/result.h"

struct pw_db_async;

enum { PW_DB_READ = 1, PW_DB_WRITE = 2 };

/* The loop, as the client sees it.
 *
 * watch    call pw_db_async_on_fd when fd is ready for what `want` (PW_DB_*) says, from
 * now on; called again for the same fd to change it; want 0 = stop. The fd is always
 *          open, and it is one of our own: libpq closing its socket cannot pull it away
 * timer    call pw_db_async_on_timer at at_ms, once; replaces the one before; -1 = none.
 *          May lie in the past: then as soon as possible, never from within timer
 * now_ms   a clock that only grows */
struct pw_db_loop {
	void *arg;
	void (*watch)(void *arg, int fd, unsigned int want);
	void (*timer)(void *arg, int64_t at_ms);
	int64_t (*now_ms)(void *arg);
};

/* A statement; static, known by its address.
 *
 * many  the same for several queries at once, or NULL: each parameter is an array
 * (text[]) of theirs, and the last column of a row is the number, from 1, of the query it
 *       belongs to. Queries that have to wait for others anyway then go as one, which
 *       costs the server a fraction; what it refuses is asked again one by one */
struct pw_db_statement {
	const char *name; /* of the prepared statement */
	const char *sql;
	bool is_repeatable; /* may be sent again when the connection broke under it */
	const struct pw_db_statement *many;
};

/* Called exactly once per query. PW_OK: rows. PW_ERR_DENIED, PW_ERR_PROTOCOL: result says
 * why. PW_ERR_TIMEOUT, PW_ERR_AWAY, PW_ERR_NOMEM: result is NULL. Borrowed for the call.
 */
typedef void pw_db_async_done_fn(void *arg, enum pw_status status,
                                 const struct pw_db_result *result);

/* Make a client; connects with the first query (or pw_db_async_connect). config is
 * copied.
 *
 * queue_max  most queries waiting or in flight
 *
 * Errors  PW_ERR_CONFIG (conninfo; why_out says what, without passwords), PW_ERR_NOMEM
 * Owner   caller, pw_db_async_close */
PW_MUST_CHECK enum pw_status pw_db_async_open(struct pw_db_async **out,
                                              const struct pw_db_config *config,
                                              const struct pw_db_loop *loop,
                                              size_t queue_max, struct pw_buf *why_out);
/* Fails what is outstanding with PW_ERR_AWAY (callbacks run, their queries are refused),
 * stops watching and takes its timer back. Not from within a callback. */
void pw_db_async_close(struct pw_db_async **client);
/* Connect now rather than at the first query. */
void pw_db_async_connect(struct pw_db_async *client);

/* Ask. While the server is away queries wait for it until their deadline; one in flight
 * when the connection breaks is sent again once if its statement is repeatable.
 *
 * params       text form, copied; at == NULL is SQL NULL; no NUL bytes
 * deadline_ms  on the loop's clock; then done gets PW_ERR_TIMEOUT
 *
 * Errors  (done is not called)  PW_ERR_LIMIT queue full or too many params, PW_ERR_SYNTAX
 * NUL byte, PW_ERR_NOMEM, PW_ERR_AWAY closing */
PW_MUST_CHECK enum pw_status pw_db_async_query(struct pw_db_async *client,
                                               const struct pw_db_statement *statement,
                                               const struct pw_str *params, size_t count,
                                               int64_t deadline_ms,
                                               pw_db_async_done_fn *done, void *arg);

/* For the loop. */
void pw_db_async_on_fd(struct pw_db_async *client);
void pw_db_async_on_timer(struct pw_db_async *client);

/* Is the connection up? Queries outstanding? */
bool pw_db_async_is_up(const struct pw_db_async *client);
size_t pw_db_async_pending(const struct pw_db_async *client);
