/* A process's end of the learn socket: a bounded queue of lessons, sent as fast as the
 * socket takes them and never waited for. Knows nothing of Dovecot.
 *
 * A lesson is first held by a batch, one for each mailbox transaction; the batch then
 * joins the queue or is forgotten. What would make all that is held or queued larger than
 * LEARN_HELD_MAX is dropped, and so is everything queued while nobody listens; both are
 * counted. */
#pragma once

#include <stdint.h>

#include "core/learn_line.h"

#define LEARN_HELD_MAX ((size_t)8 * 1024 * 1024)

struct learn_client;
struct lesson;

/* All zero is an empty batch. */
struct learn_batch {
	struct lesson *first, *last;
};

/* Lessons since the client was made. */
struct learn_counts {
	uint64_t sent, away, full;
};

enum learn_progress {
	LEARN_DONE, /* nothing is queued */
	LEARN_WAIT, /* call learn_client_send again when learn_client_fd can be written */
	LEARN_AWAY, /* nobody listens: the queue was dropped */
};

/* path is copied; no connection is made yet.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT the path is too long for a unix socket
 * Owner   caller, learn_client_free; batches end first */
PW_MUST_CHECK enum pw_status learn_client_new(struct learn_client **out,
                                              const char *path);
void learn_client_free(struct learn_client **client);

/* Copy message into a new lesson at the end of a batch. Dropped (false) when there is no
 * room, or when user or size cannot be said. */
bool learn_client_hold(struct learn_client *client, struct learn_batch *batch,
                       enum pw_learn_verdict verdict, struct pw_str user,
                       struct pw_str message);
/* The end of a batch; it is empty afterwards. */
void learn_client_queue(struct learn_client *client, struct learn_batch *batch);
void learn_client_forget(struct learn_client *client, struct learn_batch *batch);

/* Send what the socket takes now, connecting first if need be; never waits. May close the
 * descriptor: do not watch it meanwhile. */
enum learn_progress learn_client_send(struct learn_client *client);
/* -1 = not connected. */
int learn_client_fd(const struct learn_client *client);
struct learn_counts learn_client_counts(const struct learn_client *client);
/* How many lessons are queued and not yet sent. */
size_t learn_client_queued(const struct learn_client *client);
