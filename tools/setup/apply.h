/* Carry a plan out. */
#pragma once

#include "tools/password.h"
#include "tools/setup/backup.h"
#include "tools/setup/plan.h"

struct setup_outcome {
	char password[TOOL_PASSWORD_MADE]; /* of the mailbox that was made; "" = none was
	                                    */
	bool has_no_keys;                  /* postward-dkim has not answered */
};

/* Every step in its order, after all files of the plan have been copied. Stops at the
 * first that fails; why has then been written to standard error.
 *
 * is_quiet  print nothing to standard output
 *
 * Returns an exit code. */
int setup_apply(const struct setup_plan *plan, struct setup_backup *backup,
                const char *database, bool is_quiet, struct setup_outcome *out);
