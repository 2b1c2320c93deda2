#include "score/settings.h"

#include "core/base.h"

static const struct pw_setting rows[] = {
#define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
#include "score/settings.def"
#undef PW
};

const struct pw_settings_schema settings_schema = {
	.program = "postward-score",
	.purpose = "Milter that verifies, scores and records messages.",
	.rows = rows,
	.count = PW_LEN(rows),
	.size = sizeof(struct settings),
};
