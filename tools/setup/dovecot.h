/* Dovecot's drop-ins, in the dialect of the version that is installed. */
#pragma once

#include "tools/setup/plan.h"
#include "tools/setup/wish.h"

struct setup_dovecot {
	const char *dialect; /* "2.3" or "2.4" */
	const char *spool;   /* Postfix's queue directory */
};

/* What is there: version, protocols, the user who owns the mail.
 *
 * Errors  PW_ERR_CONFIG: why says what is missing, and how it comes */
PW_MUST_CHECK enum pw_status setup_dovecot_read(struct setup_dovecot *now,
                                                struct setup_plan *plan,
                                                struct pw_buf *why);
/* Errors  PW_ERR_NOTFOUND: why names the template that is missing */
PW_MUST_CHECK enum pw_status setup_plan_dovecot(struct setup_plan *plan,
                                                const struct setup_wish *wish,
                                                const struct setup_dovecot *now,
                                                struct pw_buf *why);
/* Does Dovecot take its settings? Its complaints with our hints go to standard error. */
bool setup_dovecot_check(void);
