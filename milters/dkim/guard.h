/* The guard: a sample of the messages we signed is verified by libopendkim, in a thread
 * apart that no mail waits for. A signature that does not hold is an alarm: a counter, a
 * line in the log, and an event in the database (there one an hour and domain). */
#pragma once

#include "db/writer.h"
#include "dkim/letter.h"

#define GUARD_QUEUE_MAX 16 /* letters that wait; more are thrown away */

struct guard;

/* db is copied.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO; PW_ERR_IO no thread; PW_ERR_CONFIG (logged)
 * Owner   caller, guard_stop, after the last session */
PW_MUST_CHECK enum pw_status guard_start(struct guard **out,
                                         const struct pw_db_config *db);
void guard_stop(struct guard **guard);
/* Is this message one of the sample? one_in: 0 = none is. */
bool guard_wants(struct guard *guard, int64_t one_in);
/* Hand a letter over; it is the guard's in any case. */
void guard_take(struct guard *guard, struct letter **letter);
