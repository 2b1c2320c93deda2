/* uuencode, which mail programs still undo: "begin 644 name", lines of a length and
 * groups of four characters, "end" (POSIX uuencode). */
#pragma once

#include "core/str.h"

#define PW_UU_LINE_MAX 63 /* bytes that one line can hold */

/* Where the first line of data is: behind the first line "begin "; empty without one. */
struct pw_str pw_uu_begin(struct pw_str text);
/* Decode the next line: never more bytes than it has. Blanks that were lost at its end
 * are put back, what it is shorter than that, is left out. False at the end. */
bool pw_uu_next(struct pw_str *rest, char out[PW_UU_LINE_MAX], size_t *len_out);
