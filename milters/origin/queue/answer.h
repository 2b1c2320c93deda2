/* Replies of the listener, written out. Pure. */
#pragma once

#include "core/buf.h"

/* Append a reply, each of the text's lines (parted by LF) with code and enhanced code
 * ("" = none). 421 of the inner server becomes 451: it was about our session with it, not
 * about Postfix's with us. */
void answer_put(struct pw_buf *out, int code, const char *enhanced, struct pw_str text);
/* The same of our own words, one line; 421 stays. */
void answer_say(struct pw_buf *out, int code, const char *enhanced, const char *text);
