/* SMTP replies for an MTA: multi-line, '%' doubled, hostile text cleaned. */
#pragma once

#include "core/buf.h"
#include "kit/kit.h"

#define KIT_REPLY_LINES 32     /* Sendmail's limit */
#define KIT_REPLY_LINE_MAX 512 /* bytes of one line's text */

/* What will be said. lines are slices of text. */
struct kit_reply {
	int code;           /* 400..599, never 421 */
	char enhanced[12];  /* "5.1.1" or "" */
	struct pw_buf text; /* the lines, NUL between them, '%' doubled */
	size_t lines;
};

/* Plan a reply. Pure.
 *
 * code      4xx or 5xx; 421 becomes 451 (421 would make Postfix drop the client);
 * anything else becomes 451 enhanced  RFC 3463 code; empty or of another class than code:
 * X.0.0 is used text      lines parted by LF or CRLF; control characters become '?',
 * UTF-8 stays; what is over the limits is cut
 *
 * Owner     caller, kit_reply_done. Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status kit_reply_plan(struct kit_reply *out, int code,
                                            struct pw_str enhanced, struct pw_str text);
void kit_reply_done(struct kit_reply *reply);

/* Plan and hand over: the callback's verdict, SMFIS_TEMPFAIL or SMFIS_REJECT. Should
 * the wire refuse the text, the bare verdict stands. */
sfsistat kit_say(struct kit_session *s, int code, const char *enhanced,
                 struct pw_str text);
