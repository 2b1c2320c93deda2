/* The client's side of one delivery over LMTP (RFC 2033), one recipient. Pure: the
 * server's lines in, ours out. */
#pragma once

#include "core/buf.h"

#define LMTP_LINE_MAX 2048

enum lmtp_result {
	LMTP_MORE, /* feed the next line */
	LMTP_DELIVERED,
	LMTP_LATER,   /* a temporary refusal */
	LMTP_REFUSED, /* a permanent one */
	LMTP_ALIEN,   /* that is no LMTP server */
};

enum lmtp_state {
	LMTP_GREETING,
	LMTP_LHLO,
	LMTP_MAIL,
	LMTP_RCPT,
	LMTP_DATA,
	LMTP_DOT,
	LMTP_STATES,
};

/* All zero but recipient and message is the start. */
struct lmtp {
	enum lmtp_state state;   /* whose reply is awaited */
	struct pw_str recipient; /* borrowed; no control characters, no '<' or '>' */
	struct pw_str message;   /* borrowed; lines end by CRLF, the last one too */
};

/* Take one line of the server (its CRLF may still be on it); what we say next is appended
 * to out. Memory is short: out's status says it. */
enum lmtp_result lmtp_feed(struct lmtp *lmtp, struct pw_str line, struct pw_buf *out);
/* "delivered", "later", ...: for the log. */
const char *lmtp_result_name(enum lmtp_result result);
