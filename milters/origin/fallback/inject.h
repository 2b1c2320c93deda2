/* A message handed back to the edge's own Postfix: SMTP to a listener of its, with the
 * client's origin in XFORWARD. */
#pragma once

#include "core/origin.h"
#include "origin/fallback/spool.h"

struct injection {
	const char *listener; /* HOST:PORT */
	const char *hello;
	const struct pw_origin *origin;
	char *const *mail; /* MAIL's address and parameters, then NULL */
	const char *const *rcpts;
	size_t rcpt_count;
	struct pw_str field;   /* one more header field on top, whole line */
	struct spool *message; /* header and body */
};

/* Until the listener has taken it for all recipients, or not at all.
 *
 * why_out      what went wrong, or what the listener said, for the log
 * deadline_ms  monotonic
 *
 * Errors  PW_ERR_DENIED it refused or offers no XFORWARD; PW_ERR_AWAY, PW_ERR_TIMEOUT,
 *         PW_ERR_CONFIG (listener cannot be looked up), PW_ERR_LIMIT, PW_ERR_IO, ... */
PW_MUST_CHECK enum pw_status inject_send(const struct injection *what,
                                         struct pw_buf *why_out, int64_t deadline_ms);
/* Append "XFORWARD ...\r\n", two lines. Pure. */
void inject_put_xforward(struct pw_buf *out, const struct pw_origin *origin);
/* Append "X-Postward-Refused: CODE TEXT\r\n": printable, on one line, cut. Pure. */
void inject_put_refusal(struct pw_buf *out, int code, struct pw_str enhanced,
                        struct pw_str text);
