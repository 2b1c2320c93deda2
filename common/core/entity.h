/* Character references of HTML: "&amp;", "&#65;", "&#x41;". */
#pragma once

#include "core/str.h"

/* Decode the reference at the start of s, which begins with '&'. Numbers in all their
 * forms, with or without ';'; what is no character is U+FFFD. In an attribute a name
 * without ';' before '=' is part of a URL.
 *
 * Returns its length, or 0 when it is none; code_out is then untouched. */
size_t pw_entity_get(struct pw_str s, bool is_attribute, uint32_t *code_out);
