#include "policyd/settings.h"

static const struct pw_setting rows[] = {
#define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
#include "policyd/settings.def"
#undef PW
};

const struct pw_settings_schema settings_schema = {
	.program = "postward-policyd",
	.purpose = "Policy server for Postfix: limits, quotas, sender ownership; blocks "
	           "who guesses passwords.",
	.rows = rows,
	.count = PW_LEN(rows),
	.size = sizeof(struct settings),
};
