/* The plan of a role: what is now, and what is wanted. */
#pragma once

#include "tools/setup/plan.h"
#include "tools/setup/wish.h"

/* All steps of the role. wish is checked; its certificate is filled in.
 *
 * now_ms  wall clock
 *
 * Returns an exit code; why says what is wrong and what to do */
int setup_build(struct setup_plan *plan, struct setup_wish *wish, int64_t now_ms,
                struct pw_buf *why);
/* Dovecot's drop-ins alone, in the dialect that is installed now. */
int setup_build_dovecot(struct setup_plan *plan, struct setup_wish *wish, int64_t now_ms,
                        struct pw_buf *why);
