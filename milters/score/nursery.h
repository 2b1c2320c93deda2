/* The side of struct workers that forks; nobody but workers.c includes it. */
#pragma once

#include "score/workers.h"

enum nursery_order { NURSERY_FORK, NURSERY_LOAD };

/* Of the control socket, SOCK_SEQPACKET. LOAD comes with a descriptor of the bytes; a
 * FORK that went well is answered with two: the worker's socket and its process (pidfd).
 */
struct nursery_message {
	enum nursery_order order;
	enum pw_status status; /* of an answer */
};

/* Every message on a worker's socket: status (of an answer; PW_OK else), length, bytes.
 */
struct nursery_head {
	int64_t status, len;
};

/* Until the other end of control_fd is closed. */
_Noreturn void nursery_run(const struct workers_config *config, int control_fd);

/* Send, or receive, a message and count descriptors.
 *
 * Errors  PW_ERR_AWAY the other end is gone; PW_ERR_IO */
PW_MUST_CHECK enum pw_status nursery_send(int fd, const struct nursery_message *message,
                                          const int *fds, size_t count);
PW_MUST_CHECK enum pw_status nursery_receive(int fd, struct nursery_message *message,
                                             int *fds_out, size_t count);
