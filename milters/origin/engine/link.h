/* A fresh connection to the inner server, as far as it is nobody's yet: connected,
 * greeted, EHLO in our own name, TLS where the target wants it. */
#pragma once

#include "origin/engine/smtp_client.h"
#include "origin/engine/target.h"

/* client is closed first; on failure the caller closes it.
 *
 * deadline_ms  for all of it; connecting has target's limit too
 * step_out     on failure: connect, greeting, ehlo, tls; the server's words, if any, are
 *              client's reply
 *
 * Errors  those of smtp_client; PW_ERR_DENIED: the server does not want us, offers no
 * STARTTLS, or is another */
PW_MUST_CHECK enum pw_status link_open(struct smtp_client *client,
                                       const struct upstream_target *target,
                                       int64_t deadline_ms, struct upstream_offers *out,
                                       const char **step_out);
/* Say a command and read its reply. */
PW_MUST_CHECK enum pw_status link_ask(struct smtp_client *client, struct pw_str command,
                                      int64_t deadline_ms);
/* "EHLO name": one word without anything that ends it, 255 bytes at most. */
void link_put_ehlo(struct pw_buf *out, struct pw_str name);
/* What the reply to EHLO says. */
struct upstream_offers link_offers(const struct smtp_reply *ehlo);
