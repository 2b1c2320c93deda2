/* The glue of a program around sample.def, as io/settings.h shows it. */
#pragma once

#include "io/settings.h"

struct settings {
	struct pw_settings_common common;
#define PW PW_SETTING_FIELD
#include "sample.def"
#undef PW
};

static const struct pw_setting sample_rows[] = {
#define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
#include "sample.def"
#undef PW
};

static bool sample_check(const void *any, struct pw_buf *why_out)
{
	const struct settings *set = any;

	if (!set->dry_run || set->most > 1)
		return true;
	pw_buf_puts(why_out, PW_STR("dry_run wants most above 1"));
	return false;
}

static const struct pw_settings_schema sample_schema = {
	"postward-sample",   "Does nothing.",         sample_rows,
	PW_LEN(sample_rows), sizeof(struct settings), sample_check,
};
