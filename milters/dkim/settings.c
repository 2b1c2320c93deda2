#include "dkim/settings.h"

#include "core/base.h"

static const struct pw_setting rows[] = {
#define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
#include "dkim/settings.def"
#undef PW
};

const struct pw_settings_schema settings_schema = {
	.program = "postward-dkim",
	.purpose = "Milter that signs what logins and local programs send.",
	.rows = rows,
	.count = PW_LEN(rows),
	.size = sizeof(struct settings),
};
