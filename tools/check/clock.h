/* Is the time right? Pure judgements. */
#pragma once

#include "tools/check/check.h"

/* May two clocks be so far apart? theirs is the database's. */
void judge_clocks(struct check_report *report, int64_t theirs_ms, int64_t ours_ms);
