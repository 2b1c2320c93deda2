/* What setup says at its end. */
#pragma once

#include "tools/setup/apply.h"
#include "tools/setup/wish.h"

/* All steps in words. */
void setup_report_plan(const struct setup_plan *plan);
/* The mailbox that was made, the DNS records, and where to go on.
 *
 * plan     what was done, or would be where is_dry is true
 * is_json  one object instead */
void setup_report(const struct setup_plan *plan, const struct setup_wish *wish,
                  const struct setup_outcome *outcome, bool is_dry, bool is_json,
                  int code);
