/* The Received field the relay puts on top (RFC 5321 4.4). Pure. */
#pragma once

#include "core/origin.h"

/* Append "Received: from ...\r\n", folded. Names from strangers keep [A-Za-z0-9._:-] and
 * brackets, everything else becomes '?', cut at 255.
 *
 * host      by whom
 * queue_id  id of the edge's Postfix; empty = none
 * now_s     seconds since the epoch */
void trace_put(struct pw_buf *out, const struct pw_origin *origin, struct pw_str host,
               struct pw_str queue_id, int64_t now_s);
