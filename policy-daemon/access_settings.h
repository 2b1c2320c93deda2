/* Greylisting and stolen accounts, as mail.snapshot_access_settings says. Pure. */
#pragma once

#include "core/greylist.h"
#include "policyd/stolen.h"

/* Logins that never look stolen. */
#define ACCESS_EXEMPT_MAX 1000

enum greylist_mode { GREYLIST_OFF, GREYLIST_ON, GREYLIST_DRY_RUN };

/* All zero: everything is off. */
struct access_settings {
	enum greylist_mode greylist_mode;
	struct pw_greylist_rule greylist;
	struct stolen_rule stolen;
	struct pw_str stolen_exempt; /* logins and @domains, separated by blanks */
};

/* Take one row; value is borrowed for as long as set lives. Names not known are others'.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_RANGE: left as it was */
PW_MUST_CHECK enum pw_status access_settings_take(struct access_settings *set,
                                                  struct pw_str name,
                                                  struct pw_str value);
/* Is login one that never looks stolen? */
bool access_settings_exempts(const struct access_settings *set, struct pw_str login);
