/* Values of Content-Type, Content-Disposition and Content-Transfer-Encoding (RFC 2045 5,
 * 6; RFC 2183), with the parameters of RFC 2231: read as programs write them, what is
 * wrong is noted. */
#pragma once

#include "core/arena.h"

#define PW_MIME_VALUE_MAX ((size_t)16 * 1024) /* bytes of one field looked at */
#define PW_MIME_PIECES_MAX 64                 /* of one parameter (RFC 2231 3) */

enum pw_mime_parameter {
	PW_MIME_BOUNDARY,
	PW_MIME_CHARSET,
	PW_MIME_NAME,
	PW_MIME_FILENAME,
	PW_MIME_PARAMETERS
};

struct pw_mime_text {
	struct pw_str bytes;   /* %xx and backslashes undone */
	struct pw_str charset; /* as RFC 2231 4 gives it, or empty */
};

struct pw_mime_value {
	struct pw_str type; /* "text/html", "attachment": lower case; empty: unreadable */
	struct pw_mime_text parameters[PW_MIME_PARAMETERS];
	bool is_broken;        /* syntax that RFC 2045 5.1 does not have */
	bool is_broken_pieces; /* RFC 2231 pieces with gaps, twice, or too many */
	bool is_twice;         /* a parameter is given twice and differs */
	bool is_long;          /* longer than PW_MIME_VALUE_MAX: cut */
};

/* Parse the unfolded value of a field. Texts live in arena.
 *
 * has_subtype  the type must be "type/subtype" (Content-Type), not one word
 *
 * Errors  PW_ERR_NOMEM
 * RFC     2045 5.1, 2183 2, 2231 3 and 4 */
PW_MUST_CHECK enum pw_status pw_mime_value_parse(struct pw_mime_value *out,
                                                 struct pw_arena *arena,
                                                 struct pw_str value, bool has_subtype);
