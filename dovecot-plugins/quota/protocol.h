/* Lines of policyd's usage socket: fields separated by TAB, ended by LF. Each side greets
 * once; then every request gets one answer, in order. Pure: bytes in, bytes out. */
#pragma once

#include "core/buf.h"
#include "core/str.h"

#define USAGE_GREETING "postward-usage\t1"
/* The server closes on a longer line (bytes, LF included). */
#define USAGE_LINE_MAX 1024
/* Numbers on the wire are clamped to 0..USAGE_NUMBER_MAX. */
#define USAGE_NUMBER_MAX (INT64_C(1) << 62)

enum usage_verdict {
	USAGE_OK,
	USAGE_UNKNOWN, /* no such user */
	USAGE_FAIL,    /* server cannot tell now */
};

struct usage_numbers {
	int64_t bytes, messages; /* in a limit 0 = unlimited */
};

/* Append one request line. The names follow the words of the wire.
 *
 * user  1 byte or more, without TAB, LF, CR or NUL
 *
 * Errors  PW_ERR_SYNTAX the user cannot be said; PW_ERR_LIMIT the line would be too long;
 *         PW_ERR_NOMEM. Nothing of the line stays in out. */
PW_MUST_CHECK enum pw_status usage_put_limit(struct pw_buf *out, struct pw_str user);
PW_MUST_CHECK enum pw_status usage_put_usage(struct pw_buf *out, struct pw_str user,
                                             uint64_t bytes, uint64_t messages);

/* Read one answer, LF cut off. limit_out is NULL after a `usage` request, else it is
 * filled when the verdict is USAGE_OK.
 *
 * Errors  PW_ERR_PROTOCOL not an answer to that request */
PW_MUST_CHECK enum pw_status usage_parse_answer(struct pw_str line,
                                                enum usage_verdict *verdict_out,
                                                struct usage_numbers *limit_out);
