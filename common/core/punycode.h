/* Domain names with other letters than DNS carries (RFC 5890): U-labels to A-labels and
 * back, by Punycode (RFC 3492). */
#pragma once

#include "core/buf.h"

/* Append the domain with every label that is not ASCII as "xn--...". Letters are taken as
 * they are: IDNA 2008 maps none (RFC 5891 5.2).
 *
 * Errors  PW_ERR_SYNTAX not UTF-8; PW_ERR_LIMIT a label over 63 octets, or 255 in all;
 *         PW_ERR_NOMEM. On failure out is as before. */
PW_MUST_CHECK enum pw_status pw_domain_to_ascii(struct pw_buf *out, struct pw_str domain);
/* Does it need that? */
bool pw_domain_is_ascii(struct pw_str domain);
/* Append the domain with its "xn--" labels as their letters, in UTF-8. A label that
 * cannot be one is kept as it is (RFC 3492 6.2). */
void pw_domain_put_unicode(struct pw_buf *out, struct pw_str domain);
