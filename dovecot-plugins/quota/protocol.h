/* Lines of policyd's usage socket (docs/usage-socket.md): fields separated by TAB, ended
 * by LF. Each side greets once. Pure: bytes in, bytes out. */
#pragma once

#include "core/buf.h"
#include "core/str.h"

#define USAGE_GREETING "postward-usage\t2"
/* A longer line closes the connection (bytes, LF included). */
#define USAGE_LINE_MAX 1024
/* Numbers on the wire are held within 0..USAGE_NUMBER_MAX. */
#define USAGE_NUMBER_MAX (INT64_C(1) << 62)

/* What a mailbox holds, and when the counting of it began (us of CLOCK_MONOTONIC; 0 =
 * never). */
struct usage_count {
	int64_t bytes, messages, began_us;
};

/* 0 = unlimited; a delivery may go over bytes by grace_bytes. */
struct usage_limits {
	int64_t bytes, messages, grace_bytes;
};

enum usage_word {
	USAGE_LIMIT,   /* the limits of user are these, from now on */
	USAGE_UNKNOWN, /* there is no such user */
	USAGE_TOLD,    /* the usage counted at began_us has arrived */
	USAGE_FAIL,    /* the server cannot tell now */
};

struct usage_reply {
	enum usage_word word;
	struct pw_str user;
	struct usage_limits limits; /* of USAGE_LIMIT */
	int64_t began_us;           /* of USAGE_TOLD */
};

/* Append one line to the server. The names follow the words of the wire.
 *
 * user  1 byte or more, without TAB, LF, CR or NUL
 *
 * Errors  PW_ERR_SYNTAX the user cannot be said; PW_ERR_LIMIT the line would be too long;
 *         PW_ERR_NOMEM. Nothing of the line stays in out. */
PW_MUST_CHECK enum pw_status usage_put_watch(struct pw_buf *out, struct pw_str user);
PW_MUST_CHECK enum pw_status usage_put_leave(struct pw_buf *out, struct pw_str user);
PW_MUST_CHECK enum pw_status usage_put_usage(struct pw_buf *out, struct pw_str user,
                                             const struct usage_count *count);
/* A number of the indexes as one for the wire. */
int64_t usage_clamp(uint64_t number);

/* Read one line of the server, LF cut off; out->user is a slice of line.
 *
 * Errors  PW_ERR_PROTOCOL not one of this version */
PW_MUST_CHECK enum pw_status usage_parse_reply(struct usage_reply *out,
                                               struct pw_str line);
