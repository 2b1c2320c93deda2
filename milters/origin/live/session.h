/* One client of the milter front end, and the message it is sending. */
#pragma once

#include "core/arena.h"
#include "kit/kit.h"
#include "kit/live.h"
#include "origin/fallback/fallback.h"
#include "origin/fallback/outgoing.h"
#include "origin/record.h"
#include "origin/settings.h"
#include "origin/stamp/maker.h"
#include "origin/strip.h"

/* Where the message goes; all its recipients go one way. */
enum route {
	ROUTE_LIVE,  /* to the inner server while the client waits */
	ROUTE_QUEUE, /* into the queue of our own Postfix: the inner server is away */
};

/* What is about the message: on_reset clears it. */
struct message {
	enum route route;
	bool has_login; /* the client authenticated with our Postfix */
	bool has_trace;
	bool has_stamp; /* one is being made */
	int64_t recipients, bytes, started_ms;
};

struct session {
	const struct kit_held *held;
	const struct settings *set;
	const struct derived *derived;
	struct fallback *fallback;
	struct pw_arena *arena;
	struct pw_origin origin;
	struct pw_str address;  /* the client's, as text */
	enum pw_status failure; /* origin is not whole: the session takes no mail */
	struct upstream *up;
	struct outgoing *outgoing;
	struct maker *maker; /* NULL = there is no key */
	struct strip strip;  /* what the client wrote of fields that are ours */
	struct pw_buf helo, sender;
	struct message message;
	struct pw_buf field;
};

/* For kit_calls. */
enum pw_status session_open(struct kit_session *s);
void session_close(struct kit_session *s);

/* What Postfix tells of the client, and when: connect, HELO, and at MAIL what STARTTLS
 * and AUTH brought. */
void session_learn_client(struct kit_session *s);
void session_learn_helo(struct kit_session *s, const char *name);
void session_learn_sender(struct kit_session *s, const char *address);

/* NULL: its origin may be sent. Else why not. */
const char *session_objection(const struct session *own);
/* For log lines; borrowed until the next callback. */
struct record session_record(const struct kit_session *s);
