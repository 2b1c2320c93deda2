/* UTF-8, strict (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include "core/buf.h"

/* Length of the well-formed character at the start of s (not empty); 0 = there is none.
 */
size_t pw_utf8_length(struct pw_str s);
/* The same, and which code point it is (untouched when there is none). */
size_t pw_utf8_get(struct pw_str s, uint32_t *code_out);
/* Append a code point; U+FFFD for a surrogate and for what is above U+10FFFF. */
void pw_utf8_put_code(struct pw_buf *out, uint32_t code);
/* Append s with U+FFFD for each byte that belongs to no well-formed character. */
void pw_utf8_put(struct pw_buf *out, struct pw_str s);
