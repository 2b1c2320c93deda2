/* What is remembered in the database beside the snapshot, fetched by a thread of its own:
 * once, what logins usually send; and again and again, while it is wanted, what any node
 * wrote into the greylist. */
#pragma once

#include "core/buf.h"
#include "db/config.h"
#include "db/result.h"

/* So often the greylist is asked for news. */
#define RECALL_EVERY_MS 1000

struct recall;

/* Start the thread. config is copied.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CONFIG (why_out); PW_ERR_IO (no thread)
 * Owner   caller, recall_stop */
PW_MUST_CHECK enum pw_status recall_start(struct recall **out,
                                          const struct pw_db_config *config,
                                          struct pw_buf *why_out);
void recall_stop(struct recall **recall);
/* Is the greylist wanted? Not at the start. */
void recall_want_greylist(struct recall *recall, bool is_wanted);
/* Rows of mail.greylist_load, the oldest first: everything the first time, then what
 * changed; and of mail.send_habits_load, once. NULL = none (yet).
 *
 * Owner  caller, pw_db_result_free */
struct pw_db_result *recall_take_greylist(struct recall *recall);
struct pw_db_result *recall_take_habits(struct recall *recall);
