/* UTF-8, strict (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include "core/str.h"

/* Length of the well-formed character at the start of s (not empty); 0 = there is none.
 */
size_t pw_utf8_length(struct pw_str s);
