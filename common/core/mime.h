/* The parts of a message (RFC 2045, 2046), walked in one pass without recursion: each
 *byte of the body belongs to exactly one span, and what is malformed is noted, never
 *refused.
 *
 *	pw_mime_new(&walk, arena);
 *	for each field of the message: pw_mime_field(walk, name, value);
 *	pw_mime_begin(walk, body);
 *	while (pw_mime_next(walk, &span))
 *		...
 *	if ((r = pw_mime_status(walk)) != PW_OK) ... */
#pragma once

#include "core/mime_value.h"

#define PW_MIME_PARTS_MAX 1000                 /* containers are parts too */
#define PW_MIME_DEPTH_MAX 100                  /* as Postfix's mime_nesting_limit */
#define PW_MIME_BOUNDARY_MAX 2048              /* bytes that count, as in Postfix */
#define PW_MIME_HEADER_MAX ((size_t)64 * 1024) /* bytes of a part's header looked at */

enum pw_mime_flag_bit {
#define PW_MIME_FLAG(name, text) PW_MIME_BIT_##name,
#include "core/mime_flags.def"
	PW_MIME_BITS
};
enum pw_mime_flag {
#define PW_MIME_FLAG(name, text) PW_MIME_##name = (int)(1u << PW_MIME_BIT_##name),
#include "core/mime_flags.def"
};

enum pw_mime_encoding {
	PW_MIME_7BIT,
	PW_MIME_8BIT,
	PW_MIME_BINARY,
	PW_MIME_QP,
	PW_MIME_BASE64,
	PW_MIME_UU, /* no encoding of RFC 2045, undone by mail programs */
	PW_MIME_OTHER
};

enum pw_mime_kind {
	PW_MIME_PREAMBLE,
	PW_MIME_EPILOGUE,
	PW_MIME_BOUNDARY_LINE, /* with the line end before it (RFC 2046 5.1.1) */
	PW_MIME_HEADER,        /* with the empty line that ends it */
	PW_MIME_BODY,          /* of a leaf */
};

/* A run of bytes of the body and the part it belongs to; a boundary line belongs to the
 * multipart. */
struct pw_mime_span {
	enum pw_mime_kind kind;
	size_t part, at, len;
};

/* One entity. Part 0 is the message; a parent comes before its children. */
struct pw_mime_part {
	size_t parent, depth; /* parent of part 0: 0 */
	size_t children;
	struct pw_str type; /* "text/plain", lower case; never empty */
	struct pw_str disposition, charset, boundary;
	struct pw_str encoding_text; /* lower case, or empty */
	enum pw_mime_encoding encoding;
	struct pw_mime_text name;     /* name= of Content-Type */
	struct pw_mime_text filename; /* filename= of Content-Disposition */
	bool has_type, has_disposition, has_encoding;
	bool is_container, has_8bit; /* has_8bit: a leaf's body */
	bool is_message;             /* message/rfc822, walked */
	struct pw_str body; /* raw: all of it, for a container with its boundaries */
	size_t decoded_len; /* of a leaf's body, transfer encoding undone */
	uint32_t flags;     /* PW_MIME_...; children's not included */
};

struct pw_mime;

/* Errors  PW_ERR_NOMEM
 * Owner   lives in arena */
PW_MUST_CHECK enum pw_status pw_mime_new(struct pw_mime **out, struct pw_arena *arena);
/* A field of the message's own header; only Content-* matters. Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_mime_field(struct pw_mime *walk, struct pw_str name,
                                           struct pw_str value);
/* The body, which must live as long as the walk. */
void pw_mime_begin(struct pw_mime *walk, struct pw_str body);
/* Next span, in order, never empty; false at the end. */
bool pw_mime_next(struct pw_mime *walk, struct pw_mime_span *out);
/* PW_ERR_NOMEM if that ended the walk early. */
PW_MUST_CHECK enum pw_status pw_mime_status(const struct pw_mime *walk);

/* The parts seen so far; complete at the end. Moves with the next call of pw_mime_next.
 */
const struct pw_mime_part *pw_mime_parts(const struct pw_mime *walk, size_t *count);
/* All parts' flags in one. */
uint32_t pw_mime_flags(const struct pw_mime *walk);
/* Bytes looked at and boundaries compared: work done, in proportion to the body. */
uint64_t pw_mime_steps(const struct pw_mime *walk);
/* "no-end" and its like for a bit; never NULL. */
const char *pw_mime_flag_text(enum pw_mime_flag_bit bit);
