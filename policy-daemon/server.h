/* Bytes: listening sockets, connections, one epoll loop that never blocks. What the bytes
 * mean is the protocol's business. One thread; nothing here is thread-safe but
 * server_wake. */
#pragma once

#include <sys/types.h>

#include "core/buf.h"

struct server;

/* What eat may return besides the number of bytes it took. */
enum {
	SERVER_MORE = 0,   /* no whole request yet */
	SERVER_HOLD = -1,  /* a request, but it cannot be answered yet: ask again soon */
	SERVER_CLOSE = -2, /* the peer does not speak our protocol */
};

struct server_protocol {
	size_t input_max; /* most bytes of a request; more than that closes */
	/* State of a new connection; its greeting, if there is one, goes to out. NULL =
	 * no memory: the connection is closed. */
	void *(*open)(void *arg, struct pw_buf *out);
	/* Take the first request off bytes, append its answer to out, return its length
	 * or SERVER_*. */
	ssize_t (*eat)(void *arg, void *session, struct pw_str bytes, struct pw_buf *out);
	void (*close)(void *arg, void *session);
	void *arg;
	const char *name; /* for the log */
	/* Its connections live from what they are told: silence is no reason to close
	 * them, and to make room others go first. */
	bool is_told;
	/* Its greeting is all it says: the connection is closed when that is sent, and
	 * nothing is read. */
	bool is_greeting_alone;
	/* May the peer of this socket have a connection? NULL = everybody may. */
	bool (*admits)(void *arg, int fd);
};

/* Live settings. */
struct server_limits {
	size_t connections_max;
	int64_t idle_timeout_ms, answer_deadline_ms;
};

/* What else happens in the loop. */
struct server_events {
	void (*woken)(void *arg); /* after server_wake, before what came later */
	void (*tick)(void *arg);  /* about every SERVER_TICK_MS */
	void (*signal)(void *arg,
	               int signo); /* one of the blocked signals given to new */
	void *arg;
	void (*round)(void *arg); /* all that came at once was eaten; may be NULL */
};
#define SERVER_TICK_MS 200
/* Held requests are asked again after so long at the latest. */
#define SERVER_HOLD_MS 20

/* signals  ends with 0; they must be blocked in every thread
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_IO
 * Owner   caller, server_free */
PW_MUST_CHECK enum pw_status
server_new(struct server **out, const struct server_events *events, const int *signals);
void server_free(struct server **server);
void server_set_limits(struct server *server, const struct server_limits *limits);

/* Listen on spec (io/listen.h). protocol is borrowed for as long as the server lives.
 *
 * Errors  as pw_listener_open; PW_ERR_LIMIT too many listeners */
PW_MUST_CHECK enum pw_status server_listen(struct server *server, struct pw_str spec,
                                           const struct server_protocol *protocol,
                                           struct pw_buf *why_out);

/* Say something unasked: say is called once for each connection of protocol (the pointer
 * server_listen was given) and appends to out what that session is to be told, or
 * nothing. It is sent as soon as the peer reads; a peer that leaves 64 KiB unread is
 * closed, so no reader slows the loop down or fills the memory. Call it from any callback
 * of the loop; from eat only while its own answer is whole or not begun. say must not
 * call the server.
 */
void server_tell(struct server *server, const struct server_protocol *protocol,
                 void (*say)(void *arg, void *session, struct pw_buf *out), void *arg);

/* Call ready(arg) whenever fd can be read: a part with descriptors of its own, which stay
 * its own. Two at most; for as long as the server lives.
 *
 * Errors  PW_ERR_LIMIT, PW_ERR_IO */
PW_MUST_CHECK enum pw_status server_watch(struct server *server, int fd,
                                          void (*ready)(void *arg), void *arg);
/* Serve until server_stop; what has arrived whole by then is answered. Then all
 * connections and sockets are closed.
 *
 * Errors  PW_ERR_IO epoll failed */
PW_MUST_CHECK enum pw_status server_run(struct server *server);
/* End server_run after the present round; from a callback. */
void server_stop(struct server *server);
/* Make the loop call woken soon, and ask held requests again; from any thread. */
void server_wake(struct server *server);
