/* A message into SMTP's DATA (RFC 5321 4.5.2): dots doubled, lines ended by CRLF only.
 * Pure; the state lives over chunks, however they are cut. */
#pragma once

#include "core/buf.h"

/* All zero is the start of a message. */
struct dot_stuff {
	bool in_line; /* false = at the start of a line */
	bool after_cr;
};

/* Append chunk. A bare LF becomes CRLF; a bare CR and NUL are data and stay. */
void dot_stuff_put(struct pw_buf *out, struct dot_stuff *state, struct pw_str chunk);
/* Append the final dot, and before it a line end if one is missing. */
void dot_stuff_end(struct pw_buf *out, struct dot_stuff *state);
