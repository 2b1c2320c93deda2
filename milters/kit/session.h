/* Inside the kit: the callbacks behind the milter protocol, and the count of sessions. */
#pragma once

#include "kit/kit.h"

/* The callbacks of daemon; there is one per process. */
const struct smfiDesc *kit_session_calls(const struct kit_daemon *daemon, bool is_tcp);

/* What to ask for in the negotiation. Pure.
 *
 * Over TCP only header and body go without replies. Before those smtpd writes one small
 * event after another, and cleanup goes on on the same connection: with no reply to carry
 * our ACK, Nagle's algorithm on Postfix's side holds them for 40 ms.
 *
 * offered      SMFIP_* the MTA knows
 * no_reply_out KIT_BIT of the stages in which the MTA will not wait
 *
 * Returns the SMFIP_* to ask for. */
unsigned long kit_session_steps(const struct kit_daemon *daemon, bool is_tcp,
                                unsigned long offered, unsigned *no_reply_out);
