/* Text of strangers on a terminal. */
#pragma once

#include "core/str.h"

/* Write it to standard output, control characters as blanks: what DNS and other hosts say
 * may hold anything. */
void tool_print_plain(struct pw_str text);
