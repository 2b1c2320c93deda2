/* The learn socket (docs/learn-socket.md): what users call spam or ham goes to the
 * database, written behind. */
#pragma once

#include "core/buf.h"
#include "io/intake.h"

/* Of the socket unit. */
#define LEARNER_FD_NAME "learn"

struct learner;

struct learner_config {
	const char *path; /* of the socket, unless systemd passes one; "" = none */
	/* Who takes messages apart: reader_read. */
	enum pw_status (*read)(void *reader, struct pw_str job,
	                       struct pw_buf *answer_out);
	void *reader;
	/* One lesson as mail.record_lessons takes it. */
	void (*learned)(void *arg, struct pw_str lesson);
	void *arg;
};

/* Listen, in a thread of its own. Without a path and without systemd's socket *out is
 * NULL.
 *
 * Errors  PW_ERR_NOMEM; those of pw_listener_open (why_out)
 * Owner   caller, learner_close */
PW_MUST_CHECK enum pw_status learner_open(struct learner **out,
                                          const struct learner_config *config,
                                          struct pw_buf *why_out);
/* Take what has come whole, then close. */
void learner_close(struct learner **learner);
