#include "man/tables.h"

#include "io/counters.h"
#include "io/settings.h"

/* Only what can be read is wanted here: no program's struct, no place in it. */
#define SETTING(type, name, fallback, min, max, change, help)                            \
	{ #name, PW_SETTING_##type, fallback, min, max, PW_SETTING_##change, help, 0 },

#define PW SETTING
static const struct pw_setting common_settings[] = {
#include "io/settings.def"
};
static const struct pw_setting origin_settings[] = {
#include "origin/settings.def"
};
static const struct pw_setting score_settings[] = {
#include "score/settings.def"
};
static const struct pw_setting dkim_settings[] = {
#include "dkim/settings.def"
};
static const struct pw_setting policyd_settings[] = {
#include "policyd/settings.def"
};
#undef PW

#define PW PW_COUNTER_ROW
static const struct pw_counter_row origin_counters[] = {
#include "origin/counters.def"
};
static const struct pw_counter_row score_counters[] = {
#include "score/counters.def"
};
static const struct pw_counter_row dkim_counters[] = {
#include "dkim/counters.def"
};
static const struct pw_counter_row policyd_counters[] = {
#include "policyd/counters.def"
};
#undef PW

#define PROGRAM(name)                                                                    \
	{                                                                                \
		"postward-" #name, { name##_settings, PW_LEN(name##_settings) },         \
		{                                                                        \
			"postward-" #name, name##_counters, PW_LEN(name##_counters)      \
		}                                                                        \
	}

static const struct man_program programs[] = {
	{ "common", { common_settings, PW_LEN(common_settings) }, { "", NULL, 0 } },
	PROGRAM(origin),
	PROGRAM(score),
	PROGRAM(dkim),
	PROGRAM(policyd),
};

const struct man_program *man_program_find(struct pw_str name)
{
	for (size_t i = 0; i < PW_LEN(programs); i++)
		if (pw_str_eq(name, pw_str_from(programs[i].name)))
			return &programs[i];
	return NULL;
}
