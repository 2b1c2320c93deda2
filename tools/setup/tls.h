/* The certificate: one that is there, or one made here for a start. */
#pragma once

#include "tools/setup/plan.h"
#include "tools/setup/postfix.h"
#include "tools/setup/wish.h"

/* What main.cf names, unless it is Debian's own or not there: not judged. */
bool setup_certificate_in_use(struct setup_plan *plan, struct setup_wish *wish,
                              const struct setup_postfix *now);
/* Fill in wish->certificate and wish->key: what was given, what certbot made, what
 * Postfix names already, else our own, for which steps are added.
 *
 * Errors  PW_ERR_CONFIG (why: what is wrong with the one that was given), PW_ERR_CRYPTO
 */
PW_MUST_CHECK enum pw_status setup_plan_certificate(struct setup_plan *plan,
                                                    struct setup_wish *wish,
                                                    const struct setup_postfix *now,
                                                    int64_t now_ms, struct pw_buf *why);
