/* What a message adds to the reputation of where it came from. */
#pragma once

#include "mail/judge.h"

/* Append the message as mail.record_reputation takes it. Its verdict is that of the score
 * without reputation's own part.
 *
 * Errors  PW_ERR_NOTFOUND there is nobody to be counted for; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status reputation_put(struct pw_buf *out,
                                            const struct pw_verdict *verdict);
