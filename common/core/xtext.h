/* xtext of RFC 1891 / XCLIENT: bytes 33..126 but '+' and '=' stand for themselves, all
 * others are "+XX" in upper-case hexadecimal. */
#pragma once

#include "core/buf.h"

/* Append raw, encoded. */
void pw_xtext_encode(struct pw_buf *out, struct pw_str raw);
/* Append the longest start of raw whose encoding takes at most encoded_max bytes; returns
 * how many bytes of raw that was. Never splits a "+XX". */
size_t pw_xtext_encode_max(struct pw_buf *out, struct pw_str raw, size_t encoded_max);
/* Append text, decoded. Hexadecimal digits of either case are taken; anything else that
 * encode would not write is refused.
 *
 * Errors  PW_ERR_SYNTAX (out holds what came before), or the buffer's own */
PW_MUST_CHECK enum pw_status pw_xtext_decode(struct pw_buf *out, struct pw_str text);
