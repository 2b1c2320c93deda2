/* What the client is answered, and the log line that goes with it. */
#pragma once

#include "origin/live/session.h"

/* The inner server's verdict, or that there is none.
 *
 * rcpt  NULL = it was not about a recipient */
sfsistat answer_verdict(struct kit_session *s, enum upstream_verdict verdict,
                        const char *stage, const char *rcpt);
/* Its origin must not be sent: 451. */
sfsistat answer_withhold(struct kit_session *s, const char *why);
/* Something of this host is missing, the disk above all: 452 or 451. */
sfsistat answer_broken(struct kit_session *s, const char *stage, enum pw_status status);
/* The inner server is away, and the recipient is nobody we know: 451. */
sfsistat answer_unknown(struct kit_session *s, const char *rcpt);
