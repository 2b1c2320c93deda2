/* What nodes tell each other of failed logins, through the database: a thread of its own
 * hands over what this one blocked and counted at once, and fetches what others did once
 * a second; now and then where mailboxes logged in. Nobody waits for it. */
#pragma once

#include "core/buf.h"
#include "db/config.h"
#include "db/result.h"

struct share;

/* Rows for the answering thread. */
struct share_rows {
	struct pw_db_result *news;  /* of mail.auth_exchange: what, kind, who, number,
	                               dry_run */
	struct pw_db_result *homes; /* of mail.auth_homes: login, address, age_ms; NULL =
	                               none this time */
};

/* config is copied.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CONFIG (why_out); PW_ERR_IO (no thread)
 * Owner   caller, share_stop */
PW_MUST_CHECK enum pw_status share_start(struct share **out,
                                         const struct pw_db_config *config,
                                         struct pw_buf *why_out);
/* Rows that came since the last call; false = none.
 *
 * Owner  caller, share_rows_done */
bool share_take(struct share *share, struct share_rows *out);
void share_rows_done(struct share_rows *rows);
/* May news be put? Not while there are others on their way. */
bool share_wants(struct share *share);
/* Hand news over: a JSON array as mail.auth_exchange takes it. Taken from the buffer. */
void share_put(struct share *share, struct pw_buf *news);
/* End: what was put goes, and last, the news that could not be put; each for two seconds
 * at most. */
void share_stop(struct share **share, struct pw_buf *last);
