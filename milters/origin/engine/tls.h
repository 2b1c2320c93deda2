/* TLS towards the inner server: TLS 1.2 at least, its certificate checked against a name.
 * Glue of SSL_CTX_new(3) and SSL_get_error(3). */
#pragma once

#include <poll.h>

#include "core/buf.h"

struct ssl_st;
struct tls_context;

/* What all connections to one server share; sessions are resumed.
 *
 * name     a DNS name, or an address: what the certificate must be for
 * ca_file  PEM of who may have signed it; empty = the system's
 * why_out  what cannot be used
 *
 * Owner    caller, tls_context_free, when its connections are gone
 * Errors   PW_ERR_CONFIG, PW_ERR_NOMEM, PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status tls_context_new(struct tls_context **out, const char *name,
                                             const char *ca_file, struct pw_buf *why_out);
void tls_context_free(struct tls_context **context);

/* A connection over fd, which stays the caller's; nothing is sent yet.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status tls_new(struct ssl_st **out, struct tls_context *context,
                                     int fd);
/* Says goodbye if that needs no waiting. */
void tls_free(struct ssl_st **tls);

/* One step of the handshake, of sending or of receiving. wait_out: POLLIN or POLLOUT if
 * the socket must be waited for and the same call made again (PW_OK, *done_out 0), else
 * 0.
 *
 * Errors  PW_ERR_AWAY, PW_ERR_DENIED (handshake: the certificate is not the server's),
 * PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status tls_handshake(struct ssl_st *tls, short *wait_out);
PW_MUST_CHECK enum pw_status tls_send(struct ssl_st *tls, struct pw_str bytes,
                                      size_t *done_out, short *wait_out);
PW_MUST_CHECK enum pw_status tls_receive(struct ssl_st *tls, char *at, size_t room,
                                         size_t *done_out, short *wait_out);
/* Nothing to read, and the peer has not hung up. */
bool tls_is_quiet(struct ssl_st *tls);
