/* Reads what an inner host says on its bans_listen. */
#pragma once

#include "core/buf.h"
#include "core/ip.h"

/* Connect, read to the end.
 *
 * out          its maximum is the most that is read
 * deadline_ms  monotonic, of all of it
 *
 * Errors  PW_ERR_AWAY (nobody there, hung up on), PW_ERR_TIMEOUT, PW_ERR_LIMIT (it says
 *         more than out takes), PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status bans_fetch(struct pw_buf *out, struct pw_ip host,
                                        unsigned int port, int64_t deadline_ms);
