/* Connections to a server by name, unix:/path or inet:ADDRESS:PORT, each step under a
 * deadline (CLOCK_MONOTONIC). */
#pragma once

#include <sys/socket.h>

#include "core/base.h"
#include "core/status.h"
#include "core/str.h"

struct pw_dial {
	struct sockaddr_storage address;
	socklen_t len; /* 0 = nowhere */
};

/* What a setting says. ADDRESS is one, no name: names would have to be looked up, and
 * that takes as long as it likes. [v6] in brackets.
 *
 * Errors  PW_ERR_SYNTAX */
PW_MUST_CHECK enum pw_status pw_dial_parse(struct pw_dial *out, struct pw_str spec);
/* Errors  PW_ERR_AWAY (errno), PW_ERR_TIMEOUT, PW_ERR_IO (errno)
 * Owner   caller, pw_dial_close */
PW_MUST_CHECK enum pw_status pw_dial_open(int *fd_out, const struct pw_dial *to,
                                          int64_t deadline_ms);
/* For PW_AUTO. */
void pw_dial_close(int *fd);
/* All of it.
 *
 * Errors  PW_ERR_AWAY the other side closed; PW_ERR_TIMEOUT; PW_ERR_IO (errno) */
PW_MUST_CHECK enum pw_status pw_dial_send(int fd, struct pw_str bytes,
                                          int64_t deadline_ms);
/* What there is, at most room bytes; *len_out 0: the other side closed.
 *
 * Errors  as pw_dial_send */
PW_MUST_CHECK enum pw_status pw_dial_receive(int fd, char *at, size_t room,
                                             size_t *len_out, int64_t deadline_ms);
