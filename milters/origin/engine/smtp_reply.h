/* SMTP replies of the inner server, byte by byte (RFC 5321 4.2), and EHLO's list. Pure.
 */
#pragma once

#include "core/buf.h"

#define REPLY_LINE_MAX 2048 /* RFC 5321 4.5.3.1.5 says 512 */
#define REPLY_LINES_MAX 128
#define REPLY_TEXT_MAX 16384 /* bytes of a reply without the codes */

struct smtp_reply {
	int code;           /* 200..599; 0 = none yet */
	char enhanced[12];  /* RFC 3463 code of the first line, or "" */
	struct pw_buf text; /* lines parted by LF, without code and enhanced code */
	/* the parser's own: */
	struct pw_buf line;
	size_t lines;
};

enum reply_state { REPLY_MORE, REPLY_DONE, REPLY_BAD };

/* Take bytes until the reply is complete.
 *
 * input  in/out: what is taken is cut off the front; after REPLY_DONE the rest belongs to
 * the next reply
 *
 * Returns REPLY_BAD when this is no reply (bad code, lines of different codes, over a
 * limit, no memory): the connection is of no use any more. */
enum reply_state smtp_reply_feed(struct smtp_reply *reply, struct pw_str *input);
/* Ready for the next reply, memory kept. */
void smtp_reply_reset(struct smtp_reply *reply);
void smtp_reply_done(struct smtp_reply *reply);
/* The reply itself, without the parser's state. */
void smtp_reply_copy(struct smtp_reply *to, const struct smtp_reply *from);
/* A reply of our own making, in the server's place. */
void smtp_reply_set(struct smtp_reply *reply, int code, const char *enhanced,
                    const char *text);

/* The id in "Ok: queued as ID", as Postfix says it; empty if there is none. Borrowed. */
struct pw_str smtp_reply_queue_id(const struct smtp_reply *reply);

/* What EHLO offers, as far as a relay cares. */
enum smtp_offer {
	OFFER_SIZE = 1u << 0,
	OFFER_8BITMIME = 1u << 1,
	OFFER_SMTPUTF8 = 1u << 2,
	OFFER_DSN = 1u << 3,
	OFFER_PIPELINING = 1u << 4,
	OFFER_STARTTLS = 1u << 5,
	/* attributes of XCLIENT */
	OFFER_NAME = 1u << 8,
	OFFER_REVERSE_NAME = 1u << 9,
	OFFER_ADDR = 1u << 10,
	OFFER_PORT = 1u << 11,
	OFFER_PROTO = 1u << 12,
	OFFER_HELO = 1u << 13,
	OFFER_LOGIN = 1u << 14,
	OFFER_DESTADDR = 1u << 15,
	OFFER_DESTPORT = 1u << 16,
};

/* Offers of a 250 reply to EHLO; unknown words are passed over. */
unsigned smtp_reply_offers(const struct smtp_reply *ehlo);
/* The number behind SIZE (RFC 1870 3); 0 = none, or no limit. */
int64_t smtp_reply_size_max(const struct smtp_reply *ehlo);
