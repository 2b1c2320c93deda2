/* The conversation with the edge's Postfix. What is common to both front ends stands
 * here; what makes them different is a struct front. */
#pragma once

#include "kit/live.h"
#include "origin/engine/upstream.h"
#include "origin/fallback/fallback.h"
#include "origin/fallback/outgoing.h"
#include "origin/queue/command.h"
#include "origin/queue/data_reader.h"
#include "origin/queue/header_filter.h"
#include "origin/queue/wire.h"
#include "origin/queue/xforward.h"
#include "origin/record.h"
#include "origin/settings.h"

struct talk;
struct queued; /* queue.c's own */

/* A front end: which greeting it takes, and what MAIL, RCPT and DATA mean. They append
 * their replies to the wire, and are called in that order only. The others may be NULL.
 */
struct front {
	const char *name; /* for the log */
	const char *protocol;
	enum command_verb hello;
	bool takes_local; /* mail that was born on this host */
	enum pw_status (*open)(struct talk *t);
	void (*told)(struct talk *t); /* XFORWARD was heard */
	void (*mail)(struct talk *t);
	void (*rcpt)(struct talk *t);
	void (*data)(struct talk *t);
	/* of the message, once it is being read: our own fields are in message.top, then
	 * each piece that goes on */
	void (*top)(struct talk *t);
	void (*piece)(struct talk *t, struct pw_str bytes);
	void (*reset)(struct talk *t); /* the transaction is over */
	void (*close)(struct talk *t);
};
extern const struct front front_queue, front_proxy;

/* What is about the message. */
struct letter {
	int64_t recipients, bytes, started_ms;
	bool is_wanted;           /* the inner server takes it */
	bool has_top, has_header; /* the steps of its reading */
	struct data_reader reader;
	struct header_filter header;
	struct pw_buf piece;            /* of what was read */
	struct pw_buf top, trace, rest; /* of the header */
};

/* One connection of Postfix. */
struct talk {
	const struct front *front;
	struct kit_live *live;
	const struct kit_held *held;
	const struct settings *set;
	const struct derived *derived;
	struct fallback *fallback;
	struct upstream *up;
	struct outgoing *outgoing;
	bool is_greeted, is_over;
	int errors;
	struct wire wire;
	struct command command; /* the one being served */
	/* the transaction: */
	bool has_mail;
	struct xforward xforward;
	struct pw_origin origin; /* borrows from xforward */
	struct pw_buf address;   /* the client's, as text */
	struct pw_buf sender;
	struct letter letter;
	struct queued *queued;
};

/* What all conversations share. */
struct talk_world {
	struct kit_live *live;
	struct fallback *fallback;
	int stop_fd; /* readable from when those between messages are to end */
};

/* Serve a connection to its end; fd is taken over. */
void talk_serve(const struct front *front, const struct talk_world *world, int fd);

/* For the front ends: */

/* Append a reply of ours, or the inner server's, to the wire. */
void talk_say(struct talk *t, int code, const char *enhanced, const char *text);
void talk_pass(struct talk *t, const struct smtp_reply *reply);
/* 451, for whatever went wrong here or towards the inner server. */
void talk_defer(struct talk *t, enum pw_status status);
/* For the log. Borrowed until the transaction is over. */
struct record talk_record(const struct talk *t);
/* Put together who the client is. NULL: it may be told to the inner server; else why
 * not. */
const char *talk_objection(struct talk *t);
/* Then: the client; NULL = the message was born here. */
const struct pw_origin *talk_origin(const struct talk *t);
/* MAIL was taken: command is it. */
void talk_begin(struct talk *t);
/* What the inner server said of a recipient ("<a@b>"). */
void talk_learn(struct talk *t, enum upstream_verdict verdict, const char *rcpt);
/* Read the message up to its final dot; false: it does not come to its end, and the
 * connection is of no use any more. */
bool talk_read_letter(struct talk *t);
/* The final dot towards the inner server, logged and counted. *status_out: what went
 * wrong on this host if it never left it, else PW_OK. */
enum upstream_verdict talk_finish(struct talk *t, enum pw_status *status_out);
/* Hand the replies to the message on: a Postfix that cannot be told any more will send it
 * again. */
void talk_tell(struct talk *t, enum upstream_verdict verdict);
/* The transaction is over, however it ended. */
void talk_end(struct talk *t);
