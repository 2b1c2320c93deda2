/* The tables of all programs: their settings.def and counters.def. */
#pragma once

#include "man/sections.h"

struct man_program {
	const char *name; /* "postward-score"; "common": what every program knows */
	struct man_settings settings;
	struct man_counters counters; /* count 0: none */
};

/* NULL if there is no such program. */
const struct man_program *man_program_find(struct pw_str name);
