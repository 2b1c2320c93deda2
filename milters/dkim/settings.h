/* Settings of postward-dkim; the table is settings.def. */
#pragma once

#include "io/settings.h"

enum { ON_FAILURE_DEFER, ON_FAILURE_PASS };
enum { FOREIGN_FROM_REJECT, FOREIGN_FROM_UNSIGNED };

struct settings {
	struct pw_settings_common common;
#define PW PW_SETTING_FIELD
#include "dkim/settings.def"
#undef PW
};

extern const struct pw_settings_schema settings_schema;
