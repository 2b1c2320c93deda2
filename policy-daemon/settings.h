/* Settings of postward-policyd: settings.def is the only place where one exists. */
#pragma once

#include "io/settings.h"

struct settings {
	struct pw_settings_common common;
#define PW PW_SETTING_FIELD
#include "policyd/settings.def"
#undef PW
};

/* The choices of stale_domain. */
enum { STALE_FOREIGN, STALE_DEFER };

extern const struct pw_settings_schema settings_schema;
