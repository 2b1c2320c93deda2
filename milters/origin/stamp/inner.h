/* What the sessions of role inner share. */
#pragma once

#include "origin/stamp/alarm.h"
#include "origin/stamp/patience.h"
#include "origin/stamp/replay.h"

struct inner {
	struct replay *replay;
	struct patience *patience;
	struct alarms alarms;
};

/* folder: state_directory.
 *
 * Errors  as replay_open, patience_new
 * Owner   caller, inner_close */
PW_MUST_CHECK enum pw_status inner_open(struct inner **out, const char *folder);
void inner_close(struct inner **inner);
