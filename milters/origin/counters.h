/* Numbers of postward-origin; the table is counters.def. */
#pragma once

#include "io/counters.h"

enum {
#define PW(type, id, name, labels, help) COUNT_##id,
#include "origin/counters.def"
#undef PW
	COUNT_IDS
};

extern struct pw_counters counters;
