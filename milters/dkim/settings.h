/* Settings of postward-dkim; the table is settings.def. */
#pragma once

#include "io/settings.h"

/* Of on_no_key, on_bad_key, on_no_database, on_failure. */
enum { ON_PASS, ON_DEFER, ON_REJECT };
enum { FOREIGN_FROM_REJECT, FOREIGN_FROM_UNSIGNED };

struct settings {
	struct pw_settings_common common;
#define PW PW_SETTING_FIELD
#include "dkim/settings.def"
#undef PW
};

extern const struct pw_settings_schema settings_schema;
