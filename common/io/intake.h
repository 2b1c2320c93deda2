/* A socket whose clients only speak: one thread that takes what they say, piece by piece.
 * Bounded: connections, bytes held of each, and how long one may stay silent in the
 * middle of a piece. What is said is handed over in that thread. */
#pragma once

#include <sys/types.h>

#include "core/buf.h"

#define PW_INTAKE_CONNECTIONS_MAX 64

/* What eat may return besides the number of bytes it took. */
enum {
	PW_INTAKE_MORE = 0,   /* no whole piece yet */
	PW_INTAKE_CLOSE = -1, /* the peer does not speak our protocol */
};

struct pw_intake_protocol {
	size_t input_max;    /* most bytes of a piece; more than that closes */
	int64_t patience_ms; /* longest silence in the middle of a piece */
	/* State of a new connection; NULL = no memory: it is closed. */
	void *(*open)(void *arg);
	/* Take the first piece off bytes, return its length or PW_INTAKE_*. */
	ssize_t (*eat)(void *arg, void *session, struct pw_str bytes);
	void (*close)(void *arg, void *session);
	void *arg;
};

struct pw_intake;

/* Start the thread. With PW_INTAKE_CONNECTIONS_MAX open, one that is in no piece goes for
 * a new one: clients connect again when they have something to say.
 *
 * listener  a listening stream socket, borrowed; made non-blocking
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_IO
 * Owner   caller, pw_intake_stop */
PW_MUST_CHECK enum pw_status pw_intake_start(struct pw_intake **out, int listener,
                                             const struct pw_intake_protocol *protocol);
/* What has arrived whole is handed over, then all is closed. For PW_AUTO. */
void pw_intake_stop(struct pw_intake **intake);
