/* What links are known for: redirectors, and the reader's own address in them. */
#pragma once

#include "core/address.h"
#include "core/url.h"

/* Is it one of the well-known pages that send whoever comes on to any address? Then
 * *target is that address, a slice of url, still escaped; empty if it is not in clear. */
bool pw_url_is_redirect(const struct pw_url *url, struct pw_str host,
                        struct pw_str *target);
/* Does it carry that address: in clear, escaped, or in base64 (RFC 4648 4 and 5)? */
bool pw_url_has_address(const struct pw_url *url, const struct pw_mailbox *address);
