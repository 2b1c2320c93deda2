/* Writing JSON (RFC 8259) for the database: what PostgreSQL's jsonb takes. */
#pragma once

#include "core/buf.h"

/* Append s as a string, quotes included. Any bytes: what is not UTF-8, and NUL, which
 * jsonb cannot hold, becomes U+FFFD. Failures are remembered by out. */
void pw_json_put_string(struct pw_buf *out, struct pw_str s);
