/* Lines of master.cf as setup reads them; for its two files alone. */
#pragma once

#include "tools/setup/plan.h"
#include "tools/setup/postfix.h"
#include "tools/setup/wish.h"

struct master_work {
	struct setup_plan *plan;
	const struct setup_wish *wish;
	const struct setup_postfix *now;
};

/* Fields of a line of master.cf. */
enum { FIELD_NAME, FIELD_TYPE, FIELD_COMMAND = 7, FIELDS };

/* The next line that serves a port of these names (at most count, up to a NULL) on
 * whatever address. */
bool master_next(struct pw_str *rest, const char *const *names, size_t count,
                 struct pw_str fields[FIELDS]);
/* postscreen hands on to smtpd, and is none. */
bool master_is_smtpd(const struct pw_str fields[FIELDS]);
/* Of "10.9.0.2:smtp"; "" = all of inet_interfaces. */
struct pw_str master_address(struct pw_str name);
bool master_is_loopback(struct pw_str address);
/* The edge's services that are no smtpd of a port. */
void master_plan_lines(const struct master_work *w);
