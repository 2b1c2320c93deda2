/* The milter front end: a client's session with the edge's Postfix, relayed live. */
#pragma once

#include "kit/kit.h"
#include "kit/live.h"

/* Fill in what the front end needs of Postfix: callbacks, verdicts, macros. live must
 * outlive kit_run. */
void milter_describe(struct kit_daemon *daemon, struct kit_live *live);
/* Write the counters; for kit_daemon.report, with the kit_live as user. */
void milter_report(void *live);
