/* What --listen-private binds beside Postfix and Dovecot, and the edge's own settings. */
#pragma once

#include "tools/setup/plan.h"
#include "tools/setup/wish.h"

/* PostgreSQL on the VPN's address and loopback, where its cluster is on this host, and
 * addresses that may be bound before the VPN is up. */
void setup_plan_private(struct setup_plan *plan, const struct setup_wish *wish);
/* Where the edge's Postfix puts mail on hold. */
#define SETUP_HOLD "127.0.0.1:10027"

/* Settings of postward-origin on an edge: the text now, with ours put in. */
const char *setup_origin_text(struct setup_plan *plan, const struct setup_wish *wish,
                              const char *now);
/* The same as a step, and the keys of its stamps.
 *
 * now_ms  wall clock */
void setup_plan_origin(struct setup_plan *plan, const struct setup_wish *wish,
                       int64_t now_ms);
