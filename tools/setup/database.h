/* The database: what is missing in it, the files that lead to it, and making what is
 * missing. */
#pragma once

#include "tools/setup/plan.h"
#include "tools/setup/wish.h"

/* Steps for the database and what is to be in it.
 *
 * origin  what Postfix puts behind a bare name (myorigin)
 *
 * Errors  PW_ERR_AWAY, PW_ERR_CONFIG, PW_ERR_DENIED: why says what is wrong and what to
 * do */
PW_MUST_CHECK enum pw_status setup_plan_database(struct setup_plan *plan,
                                                 const struct setup_wish *wish,
                                                 const char *origin, struct pw_buf *why);
/* Steps for Postfix's tables, Dovecot's and the programs' connection.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status setup_plan_connections(struct setup_plan *plan,
                                                    const struct setup_wish *wish,
                                                    struct pw_buf *why);
