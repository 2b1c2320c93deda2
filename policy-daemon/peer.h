/* A connection to a unix socket of another program, for a thread that may wait: every
 * call ends by the deadline, or soon after the owner wants to stop. */
#pragma once

#include <stdatomic.h>

#include "core/buf.h"

struct peer {
	int fd;              /* -1 = none */
	int64_t deadline_ms; /* monotonic */
	const atomic_bool *is_stopping;
};

/* Errors  PW_ERR_AWAY nobody listens there, or the path is not ours to use (errno);
 *         PW_ERR_LIMIT the path is too long; PW_ERR_TIMEOUT; PW_ERR_IO
 * Owner   caller, peer_close */
PW_MUST_CHECK enum pw_status peer_open(struct peer *peer, const char *path);
void peer_close(struct peer *peer);
/* Errors  PW_ERR_AWAY the peer hung up; PW_ERR_TIMEOUT, also when asked to stop */
PW_MUST_CHECK enum pw_status peer_write(struct peer *peer, struct pw_str bytes);
/* Append what comes next to in; *is_end_out: the peer has hung up, nothing came.
 *
 * Errors  PW_ERR_AWAY, PW_ERR_TIMEOUT as above; the buffer's own */
PW_MUST_CHECK enum pw_status peer_read(struct peer *peer, struct pw_buf *in,
                                       bool *is_end_out);
