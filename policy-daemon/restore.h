/* The counters as they were stored, fetched once after the start by a thread of its own:
 * they are no part of the snapshot, which stays the same while they move. */
#pragma once

#include "core/buf.h"
#include "db/config.h"
#include "db/result.h"

struct restore;

/* Fetch them, trying again until the database answers; then call done(arg) from the
 * thread, once. config is copied.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CONFIG (why_out); PW_ERR_IO (no thread)
 * Owner   caller, restore_stop */
PW_MUST_CHECK enum pw_status restore_start(struct restore **out,
                                           const struct pw_db_config *config,
                                           void (*done)(void *arg), void *arg,
                                           struct pw_buf *why_out);
/* The rows (id, who, full_at_us, head_us, width_us, counts, told_until_us, over; times
 * of the wall clock; NULL what there is not); NULL = not yet, or taken already.
 *
 * Owner  caller, pw_db_result_free */
struct pw_db_result *restore_take(struct restore *restore);
void restore_stop(struct restore **restore);
