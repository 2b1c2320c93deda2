/* What a text must contain for a pattern to match it, and looking for many such words in
 * one pass, so that patterns are tried where they may match and nowhere else. Pure. */
#pragma once

#include "core/str.h"

#define PW_LITERAL_MIN 3 /* bytes; shorter ones are everywhere */
#define PW_LITERAL_MAX 24
#define PW_LITERALS_MAX 12

/* A text without any of them, in any case, does not match. count 0: nothing is known. */
struct pw_literals {
	struct pw_literal {
		char at[PW_LITERAL_MAX]; /* ASCII in lower case */
		size_t len;
	} at[PW_LITERALS_MAX];
	size_t count;
};

/* Of a pattern that PCRE2 has taken, with these flags (mail/patterns.h). What is not
 * understood makes the answer "nothing", never a wrong one. */
void pw_literals_of(struct pw_literals *out, struct pw_str pattern, struct pw_str flags);

struct pw_finder;

/* Errors  PW_ERR_NOMEM
 * Owner   caller, pw_finder_free */
PW_MUST_CHECK enum pw_status pw_finder_new(struct pw_finder **out);
void pw_finder_free(struct pw_finder **finder);
/* Have mark number id set where one of literals is found.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT: 65535 words are in it */
PW_MUST_CHECK enum pw_status pw_finder_add(struct pw_finder *finder,
                                           const struct pw_literals *literals, size_t id);
/* Set the marks of what is in text. */
void pw_finder_look(const struct pw_finder *finder, struct pw_str text, bool *marks);
