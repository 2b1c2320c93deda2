/* Settings of postward-policyd: settings.def is the only place where one exists. */
#pragma once

#include "io/settings.h"

struct settings {
	struct pw_settings_common common;
#define PW PW_SETTING_FIELD
#include "policyd/settings.def"
#undef PW
};

extern const struct pw_settings_schema settings_schema;
