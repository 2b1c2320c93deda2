/* Base64 of a fixed number of bytes (RFC 4648): keys, digests, ids. One text for one
 * value: what encoding would not have written is refused. For mail: mail/decode.h. */
#pragma once

#include "core/buf.h"

enum pw_base64 {
	PW_BASE64,     /* section 4, padded */
	PW_BASE64_URL, /* section 5, not padded */
};

void pw_base64_put(struct pw_buf *out, enum pw_base64 kind, const void *bytes,
                   size_t len);
/* Decode text to exactly len bytes.
 *
 * Errors  PW_ERR_SYNTAX (other characters, another length, bits of no meaning set);
 *         out then holds anything */
PW_MUST_CHECK enum pw_status pw_base64_get(void *out, size_t len, enum pw_base64 kind,
                                           struct pw_str text);
