/* DKIM key records (RFC 6376 3.6.1) compared. Pure. */
#pragma once

#include "core/str.h"

/* Do two records hold the same key? Its kind (k=) and p= without blanks count; other tags
 * and their order do not. False for a text that is no tag list. */
bool dkim_is_same_key(struct pw_str a, struct pw_str b);
