/* What --listen-private binds beside Postfix and Dovecot, and the edge's own settings. */
#pragma once

#include "tools/setup/plan.h"
#include "tools/setup/wish.h"

/* PostgreSQL on the VPN's address and loopback, where its cluster is on this host, and
 * addresses that may be bound before the VPN is up. */
void setup_plan_private(struct setup_plan *plan, const struct setup_wish *wish);
/* Settings of postward-origin. */
void setup_plan_origin(struct setup_plan *plan, const struct setup_wish *wish);
