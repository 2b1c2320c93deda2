/* What the stamp on a queued message adds to what XFORWARD tells of its client. */
#pragma once

#include "core/stamp.h"
#include "origin/queue/recipient_list.h"

/* The stamp's field among those of the top, whole; empty = there is none. */
struct pw_str stamped_field(struct pw_str top);
/* Read the stamp among the fields of the top, if there is one and it belongs to this
 * message: made with one of keys, for this client, sender and recipients. What is wrong
 * with it is logged.
 *
 * origin  in/out: gains PTR, login (if send_login) and TLS; texts live with list
 *
 * Returns whether there is one that does. */
bool stamped_origin(struct pw_origin *origin, struct pw_str top,
                    const struct pw_stamp_keys *keys, bool send_login,
                    const struct recipient_list *list, const char *queue_id,
                    int64_t now_s);
