/* Header fields of a message (RFC 5322 2.2): walked as slices, nothing copied. Lines end
 * with CRLF or, in files, with a bare LF. */
#pragma once

#include "core/buf.h"

struct pw_header {
	struct pw_str name;  /* as written, without the colon and blanks before it */
	struct pw_str value; /* raw: after the colon, leading blank and folds kept, no
	                        final EOL */
};

/* Take the next field off a message.
 *
 * message  in/out; first byte of a field. When false is returned it is the body: what
 *          follows the empty line, or what follows the last field when a line that is no
 *          field ends the header (that line included)
 *
 * Returns false when the header has ended. */
bool pw_header_next(struct pw_str *message, struct pw_header *out);

/* Append value without its folds: CRLF and LF before a blank vanish, other CR and LF
 * become a blank. RFC 5322 2.2.3 */
void pw_header_unfold(struct pw_buf *out, struct pw_str value);

/* Is name a field name: 1 to 998 printable ASCII bytes without blank and colon? */
bool pw_header_name_is_valid(struct pw_str name);

/* First field of that name (case ignored) in a whole message; false if there is none. */
bool pw_header_find(struct pw_str message, struct pw_str name, struct pw_header *out);
