/* Transfer encodings and charsets undone, leniently: what is malformed is passed over. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

/* Base64 and quoted-printable (RFC 2045 6.7, 6.8). */
void pw_decode_base64(struct pw_buf *out, struct pw_str text);
void pw_decode_qp(struct pw_buf *out, struct pw_str text, bool is_header);
/* uuencode (core/uu.h). */
void pw_decode_uu(struct pw_buf *out, struct pw_str text);

/* Append text in UTF-8; which charset a label means: core/charset.def. What no label is,
 * and bytes that a charset does not have, are kept as they are; UTF-8 passes
 * unchanged. */
void pw_decode_charset(struct pw_buf *out, struct pw_str charset, struct pw_str text);

/* What encoded words there were in a header value. */
struct pw_words_seen {
	unsigned words;        /* encoded words */
	bool is_needless;      /* base64 that held plain ASCII only */
	struct pw_str charset; /* of the first one */
};

/* Append an unfolded header value with its encoded words decoded (RFC 2047); seen may be
 * NULL. */
void pw_decode_words(struct pw_buf *out, struct pw_str value, struct pw_words_seen *seen);
