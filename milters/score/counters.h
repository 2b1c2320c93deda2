/* Numbers of postward-score; the table is counters.def. */
#pragma once

#include "io/counters.h"

enum {
#define PW(type, id, name, labels, help) COUNT_##id,
#include "score/counters.def"
#undef PW
	COUNT_IDS
};

extern struct pw_counters counters;
