/* One TCP connection to an SMTP server: bytes out, replies in, every wait with a
 * deadline. */
#pragma once

#include <sys/socket.h>

#include "origin/engine/smtp_reply.h"

#define SMTP_INPUT_BYTES 4096

struct smtp_client {
	int fd; /* -1 = closed */
	struct smtp_reply reply;
	struct pw_str unread; /* in input */
	char input[SMTP_INPUT_BYTES];
};

/* Storage is the caller's; done closes. */
void smtp_client_init(struct smtp_client *client);
void smtp_client_done(struct smtp_client *client);
/* The last reply stays readable. */
void smtp_client_close(struct smtp_client *client);

/* Deadlines are of pw_clock_mono_ms.
 *
 * Errors  PW_ERR_TIMEOUT; PW_ERR_AWAY (refused, reset, closed by the peer); PW_ERR_IO
 * (errno); receive also PW_ERR_PROTOCOL (this is no reply). The caller closes. */
PW_MUST_CHECK enum pw_status smtp_client_connect(struct smtp_client *client,
                                                 const struct sockaddr *address,
                                                 socklen_t address_len,
                                                 int64_t deadline_ms);
/* All of bytes, in as few segments as possible; begins a new reply. */
PW_MUST_CHECK enum pw_status smtp_client_send(struct smtp_client *client,
                                              struct pw_str bytes, int64_t deadline_ms);
/* One whole reply into client->reply. After PW_ERR_TIMEOUT it may be called again to go
 * on. */
PW_MUST_CHECK enum pw_status smtp_client_receive(struct smtp_client *client,
                                                 int64_t deadline_ms);
