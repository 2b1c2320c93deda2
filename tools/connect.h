/* Sockets that wait for nobody longer than until a deadline. */
#pragma once

#include <sys/socket.h>

#include "core/ip.h"

/* An address as the system calls take it.
 *
 * Returns its length */
socklen_t tool_address(struct sockaddr_storage *out, struct pw_ip ip, unsigned int port);
/* Until there is something to do on fd (poll(2)).
 *
 * deadline_ms  monotonic
 *
 * Returns false when the deadline comes before */
bool tool_wait(int fd, short events, int64_t deadline_ms);
/* Connect a socket that does not block.
 *
 * Returns 0, or the errno; ETIMEDOUT when the deadline came */
int tool_connect(int fd, const struct sockaddr *address, socklen_t len,
                 int64_t deadline_ms);
