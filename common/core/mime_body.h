/* What the bytes of a part's body show: line ends, 8-bit, and whether the transfer
 * encoding is what it says (RFC 2045 6). One pass. */
#pragma once

#include "core/mime.h"

/* Counts of one run of bytes. */
struct pw_mime_bytes {
	size_t decoded_len; /* transfer encoding undone */
	bool has_crlf, has_bare_lf, has_bare_cr, has_nul, has_8bit;
	bool is_broken; /* base64, quoted-printable: against its rules */
};

void pw_mime_bytes_scan(struct pw_mime_bytes *out, enum pw_mime_encoding encoding,
                        struct pw_str bytes);
