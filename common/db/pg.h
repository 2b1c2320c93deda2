/* libpq, as the files of this room share it; not for other rooms. Only core below. */
#pragma once

#include <libpq-fe.h>

#include "core/buf.h"
#include "db/config.h"
#include "db/result.h"

/* ---- results ---- */

/* Takes the PGresult over. */
struct pw_db_result *pw_db_result_from(PGresult *result);
/* PW_OK, or what the refusal means; ends_connection: nothing more will come of it. */
enum pw_status pw_db_judge(const struct pw_db_result *result, bool *ends_connection);
int64_t pw_db_text_int(struct pw_str text, int64_t fallback);
bool pw_db_text_bool(struct pw_str text);

/* ---- where to connect ---- */

struct pw_db_target;

/* Copy of config with its texts, its conninfo checked.
 *
 * Errors  PW_ERR_CONFIG (why_out, without passwords), PW_ERR_NOMEM
 * Owner   caller, pw_db_target_free */
PW_MUST_CHECK enum pw_status pw_db_target_new(struct pw_db_target **out,
                                              const struct pw_db_config *config,
                                              struct pw_buf *why_out);
void pw_db_target_free(struct pw_db_target **target);
const struct pw_db_config *pw_db_target_config(const struct pw_db_target *target);
/* Begin to connect (PQconnectStart). libpq's own connect_timeout does not count here, so
 * that a host that never answers would hide those behind it: each failure makes the next
 * host of the string the first one.
 *
 * failures  attempts that failed in a row
 *
 * Returns NULL if out of memory. */
PGconn *pw_db_target_start(const struct pw_db_target *target, unsigned int failures);
/* Tell the program, if it wants to hear. */
void pw_db_tell(const struct pw_db_target *target, enum pw_db_event_kind kind,
                const char *text, int64_t number);
/* libpq's message in one line. */
void pw_db_error_line(struct pw_buf *out, const PGconn *pg);

/* ---- when to connect again ---- */

/* All zero: may connect at once, has never failed. */
struct pw_db_backoff {
	unsigned int failures; /* in a row */
	int64_t next_ms;       /* monotonic: not before */
	int64_t told_ms;
};
/* A try failed: wait 0.4 s for the first 3 s, then 0.8 s, 1.6 s, ... 10 s, a quarter more
 * or less. Returns whether to tell: the first of a row, then once a minute. */
bool pw_db_backoff_failed(struct pw_db_backoff *b, int64_t now_ms);
/* Connected: returns whether there were failures. */
bool pw_db_backoff_done(struct pw_db_backoff *b);

/* ---- parameters ---- */

/* Parameters as libpq wants them: NUL-terminated copies in one piece of memory. */
struct pw_db_params {
	int count;
	const char *values[PW_DB_PARAMS_MAX];
	char *memory;
	size_t bytes;
};
/* Errors  PW_ERR_LIMIT, PW_ERR_SYNTAX (NUL byte), PW_ERR_NOMEM
 * Owner   caller, pw_db_params_done */
PW_MUST_CHECK enum pw_status pw_db_params_init(struct pw_db_params *out,
                                               const struct pw_str *params, size_t count);
void pw_db_params_done(struct pw_db_params *params); /* wipes: there may be passwords */
