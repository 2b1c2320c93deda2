/* One TCP connection to an SMTP server, with or without TLS: bytes out, replies in, every
 * wait with a deadline. */
#pragma once

#include <sys/socket.h>

#include "origin/engine/smtp_reply.h"

#define SMTP_INPUT_BYTES 4096

struct ssl_st;
struct tls_context;

struct smtp_client {
	int fd;             /* -1 = closed */
	struct ssl_st *tls; /* NULL = plain text */
	int cancel_fd;      /* whoever waits gives up when it is readable; -1 = none */
	struct smtp_reply reply;
	bool is_whole;        /* reply is complete: the next one begins anew */
	struct pw_str unread; /* in input */
	char input[SMTP_INPUT_BYTES];
};

/* Storage is the caller's; done closes. */
void smtp_client_init(struct smtp_client *client);
void smtp_client_done(struct smtp_client *client);
/* The last reply stays readable. */
void smtp_client_close(struct smtp_client *client);
/* Hand an open connection with nothing unread to another client, which is closed first.
 */
void smtp_client_move(struct smtp_client *to, struct smtp_client *from);

/* Deadlines are of pw_clock_mono_ms.
 *
 * Errors  PW_ERR_TIMEOUT; PW_ERR_AWAY (refused, reset, closed by the peer, cancelled);
 * PW_ERR_IO (errno); with TLS PW_ERR_CRYPTO; receive also PW_ERR_PROTOCOL (this is no
 * reply). The caller closes. */
PW_MUST_CHECK enum pw_status smtp_client_connect(struct smtp_client *client,
                                                 const struct sockaddr *address,
                                                 socklen_t address_len,
                                                 int64_t deadline_ms);
/* From here on TLS; what the server said before that is refused.
 *
 * Errors  also PW_ERR_DENIED: the certificate is not the server's */
PW_MUST_CHECK enum pw_status smtp_client_start_tls(struct smtp_client *client,
                                                   struct tls_context *tls,
                                                   int64_t deadline_ms);
/* All of bytes, in as few segments as possible; forgets the last reply. */
PW_MUST_CHECK enum pw_status smtp_client_send(struct smtp_client *client,
                                              struct pw_str bytes, int64_t deadline_ms);
/* One whole reply into client->reply. After PW_ERR_TIMEOUT it may be called again to go
 * on. */
PW_MUST_CHECK enum pw_status smtp_client_receive(struct smtp_client *client,
                                                 int64_t deadline_ms);
/* Give the connection up when the server acknowledges nothing for so long: a dead link,
 * not a slow server. 0 = as long as the kernel likes. */
void smtp_client_expect_life(struct smtp_client *client, int64_t timeout_ms);
/* Is the connection there, and has the server said nothing that was not asked for? */
bool smtp_client_is_quiet(struct smtp_client *client);
