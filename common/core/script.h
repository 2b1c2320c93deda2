/* Writing systems, as far as tricks with look-alike letters need them (UTS 39 5.1, in a
 * small table), and characters that nobody sees. */
#pragma once

#include "core/str.h"

enum pw_script {
	PW_SCRIPT_NONE, /* digits, signs, marks */
	PW_SCRIPT_LATIN,
	PW_SCRIPT_GREEK,
	PW_SCRIPT_CYRILLIC,
	PW_SCRIPT_ARMENIAN,
	PW_SCRIPT_CHEROKEE,
	PW_SCRIPT_OTHER /* its letters look like none of the others' */
};

enum pw_script pw_script_of(uint32_t code);
/* Zero width, soft hyphens, joiners, marks of direction, fillers, tags. */
bool pw_is_invisible(uint32_t code);
/* Full-width and small letters, digits and signs as ASCII; anything else as it is. */
uint32_t pw_fold_width(uint32_t code);

/* Would a reader take the label (of a domain, UTF-8) for another? It mixes scripts that
 * look alike, or is written in nothing but letters that look Latin. */
bool pw_label_is_lookalike(struct pw_str label);
