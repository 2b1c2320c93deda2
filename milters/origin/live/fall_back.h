/* The milter's way out when the inner server is away: our own Postfix's queue. */
#pragma once

#include "origin/live/session.h"

/* The upstream engine has failed: may the message be queued instead? If so it is from
 * here on, which is logged. Never when the final dot was sent. */
bool fall_back(struct kit_session *s, const char *stage);
/* A recipient of a message on its way into the queue. */
sfsistat fall_back_rcpt(struct kit_session *s, const char *rcpt);
/* The end of a message on its way into the queue. */
sfsistat fall_back_finish(struct kit_session *s);
