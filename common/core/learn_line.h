/* Lines of the learn socket (docs/learn-socket.md): each announces one message that its
 * user called spam or ham, and the message's bytes follow. Pure: bytes in, bytes out. */
#pragma once

#include "core/buf.h"
#include "core/str.h"

/* What a client says first, and once; ended by LF like every line. */
#define PW_LEARN_GREETING "postward-learn\t1"
/* The reader closes on a longer line (bytes, LF included). */
#define PW_LEARN_LINE_MAX 1024
/* Larger messages are not handed over (bytes). */
#define PW_LEARN_SIZE_MAX ((size_t)1024 * 1024)

enum pw_learn_verdict {
	PW_LEARN_SPAM,
	PW_LEARN_HAM,
};

struct pw_learn_line {
	enum pw_learn_verdict verdict;
	struct pw_str user; /* 1 byte or more, without TAB, LF, CR or NUL */
	size_t size;        /* 1..PW_LEARN_SIZE_MAX, bytes that follow the line */
};

/* Append a line, LF included.
 *
 * Errors  PW_ERR_SYNTAX the user cannot be said; PW_ERR_RANGE the size;
 *         PW_ERR_LIMIT the line would be too long; PW_ERR_NOMEM. Nothing of the line
 * stays in out. */
PW_MUST_CHECK enum pw_status pw_learn_line_put(struct pw_buf *out,
                                               const struct pw_learn_line *line);

/* Read one line, LF cut off.
 *
 * Errors  PW_ERR_PROTOCOL not such a line: the peer is not ours, close
 * Owner   out->user is borrowed from text */
PW_MUST_CHECK enum pw_status pw_learn_line_parse(struct pw_learn_line *out,
                                                 struct pw_str text);
