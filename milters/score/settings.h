/* Settings of postward-score; the table is settings.def. */
#pragma once

#include "io/settings.h"

enum { DMARC_REJECT, DMARC_REJECT_DRY_RUN, DMARC_REJECT_SCORE };
enum { ON_FAILURE_DEFER, ON_FAILURE_ACCEPT };

struct settings {
	struct pw_settings_common common;
#define PW PW_SETTING_FIELD
#include "score/settings.def"
#undef PW
};

extern const struct pw_settings_schema settings_schema;
