/* Canonicalisation of DKIM and ARC (RFC 6376 3.4). Bodies are taken byte by byte, so that
 * chunks may be cut anywhere. */
#pragma once

#include "core/buf.h"

/* One header field as it was on the wire, "Name:value\r\n", folds as CRLF (3.4.1). */
void pw_canon_header_simple(struct pw_buf *out, struct pw_str name, struct pw_str value);
/* One header field as "name:value\r\n" (3.4.2). value is everything behind the colon;
 * folds may be LF or CRLF. */
void pw_canon_header_relaxed(struct pw_buf *out, struct pw_str name, struct pw_str value);

#define PW_CANON_STAGE 4096

/* Where canonical bytes go; any number of calls, each borrowed until it returns. */
typedef void (*pw_canon_sink)(void *context, struct pw_str bytes);

/* State of one body; callers embed it and look at line_max and has_stray alone. */
struct pw_canon_body {
	pw_canon_sink sink;
	void *context;
	size_t line,
		line_max; /* bytes of the current line, and of the longest, as received */
	uint64_t ends;    /* line ends held back: they count only before more content */
	bool gap;         /* a run of blanks held back */
	bool cr;          /* a CR held back */
	bool any;         /* there was content */
	bool has_stray;   /* a CR or LF alone: verifiers do not agree about it */
	size_t staged;
	char stage[PW_CANON_STAGE];
};

void pw_canon_body_init(struct pw_canon_body *body, pw_canon_sink sink, void *context);
/* Some of the body, lines ended by CRLF; a CR or LF alone is content. */
void pw_canon_body_relaxed(struct pw_canon_body *body, struct pw_str chunk);
/* The body is complete: hands the last bytes to the sink. */
void pw_canon_body_end(struct pw_canon_body *body);
/* The same for "simple" (RFC 6376 3.4.3), which takes away nothing but empty lines at the
 * end. */
void pw_canon_body_simple(struct pw_canon_body *body, struct pw_str chunk);
void pw_canon_body_simple_end(struct pw_canon_body *body);
