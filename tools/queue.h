/* How full Postfix's queue is, counted in its folders. */
#pragma once

#include <stdint.h>

#include "core/base.h"
#include "core/status.h"

#define QUEUES 5
/* A queue with more files than this is counted no further. */
#define QUEUE_FILES_MAX 1000000

struct queue_count {
	const char *name; /* "deferred" */
	int64_t messages;
	int64_t oldest_s; /* age of the oldest; 0 = none */
};

/* When a message came, by its long queue id (enable_long_queue_ids): Unix time, 0 if the
 * id is not of that kind. Pure. */
int64_t queue_arrival(const char *name);
/* Count all.
 *
 * now_s  Unix time
 *
 * Errors  PW_ERR_DENIED, PW_ERR_NOTFOUND, PW_ERR_IO */
PW_MUST_CHECK enum pw_status queue_read(struct queue_count out[QUEUES],
                                        const char *folder, int64_t now_s);
