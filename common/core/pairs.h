/* Lines of `name value`: tables of OpenDKIM, maps of Postfix as files. Bytes in, pairs
 * out. */
#pragma once

#include "core/str.h"

struct pw_pairs {
	struct pw_str rest;
	unsigned int next_line;
	/* How the format has it: a # anywhere begins a comment, not only as the first
	 * thing of a line; a line that begins with a blank goes on with the one before.
	 */
	bool has_comments_anywhere, has_continued_lines;
};

/* Without blanks at the ends. A value that goes on has the line ends in it; one that is
 * not there is empty. */
struct pw_pair {
	struct pw_str name, value;
	unsigned int line; /* from 1 */
};

/* Next pair; false at the end. Blank lines and comments are skipped, LF and CRLF end a
 * line. Start with rest = the bytes (borrowed, the slices point into them), next_line = 1
 * and the two flags. */
bool pw_pairs_next(struct pw_pairs *pairs, struct pw_pair *out);
/* Next word of a list parted by commas, blanks and line ends; false at the end. */
bool pw_list_next(struct pw_str *rest, struct pw_str *out);
