/* What the stamp on a queued message adds to what XFORWARD tells of its client. */
#pragma once

#include "core/stamp.h"
#include "origin/queue/recipient_list.h"

/* Read the stamp among the fields of the top, if there is one and it belongs to this
 * message: made with one of keys, for this client, sender and recipients. What is wrong
 * with it is logged.
 *
 * origin  in/out: gains PTR, login (if send_login) and TLS; texts live in arena
 *
 * Returns when the edge took the message, seconds since the epoch; 0 = not known. */
int64_t stamped_origin(struct pw_origin *origin, struct pw_str top,
                       const struct pw_stamp_keys *keys, bool send_login,
                       const struct recipient_list *list, struct pw_arena *arena,
                       const char *queue_id, int64_t now_s);
