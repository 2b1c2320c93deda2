/* What is wrong with services: pure judgements over what systemctl printed. */
#pragma once

#include "tools/check/check.h"

/* Of `systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState,NRestarts
 * UNIT...`: blocks of name=value, one a unit. */
void judge_units(struct check_report *report, struct pw_str text);
