/* Numbers of postward-dkim; the table is counters.def. */
#pragma once

#include "io/counters.h"

enum {
#define PW(type, id, name, labels, help) COUNT_##id,
#include "dkim/counters.def"
#undef PW
	COUNT_IDS
};

extern struct pw_counters counters;
