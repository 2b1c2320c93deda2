/* The two sockets on which the edge's own Postfix speaks to us, each connection served by
 * a thread: LMTP from its queue, SMTP from smtpd_proxy_filter. */
#pragma once

#include "kit/live.h"
#include "origin/fallback/fallback.h"

struct listener;

/* Bind what the settings name or systemd passes (`queue', `proxy') and begin to accept.
 * None at all is no error: then there is nothing to stop.
 *
 * Errors  PW_ERR_CONFIG, PW_ERR_IO, PW_ERR_DENIED, PW_ERR_NOMEM: already logged
 * Owner   caller, listener_close, once listener_sessions is 0 */
PW_MUST_CHECK enum pw_status listener_open(struct listener **out, struct kit_live *live,
                                           struct fallback *fallback);
void listener_close(struct listener **listener);
/* Take no more connections; those in the midst of a message go on, the others are told to
 * come back. */
void listener_stop(struct listener *listener);
/* Connections open now. */
int64_t listener_sessions(struct listener *listener);
