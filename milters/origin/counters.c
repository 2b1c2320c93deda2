#include "origin/counters.h"

static const struct pw_counter_row rows[] = {
#define PW PW_COUNTER_ROW
#include "origin/counters.def"
#undef PW
};
static _Atomic int64_t values[COUNT_IDS];

struct pw_counters counters = { "postward-origin", rows, values, COUNT_IDS };
