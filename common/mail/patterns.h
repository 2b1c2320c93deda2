/* Patterns that an admin wrote, for text that strangers wrote: PCRE2 without JIT, under
 * limits of steps, depth and memory. What would run away is refused. Pure. */
#pragma once

#include "core/buf.h"

#define PW_PATTERN_MAX 1000                         /* bytes of its text */
#define PW_PATTERN_COMPILED_MAX ((size_t)32 * 1024) /* bytes */

struct pw_pattern;  /* immutable, for all threads */
struct pw_matching; /* what matching needs, one a thread */

enum pw_match {
	PW_MATCH_NO,
	PW_MATCH_YES,
	PW_MATCH_LIMIT, /* given up: more steps, depth or memory than allowed */
};

/* flags  letters: i case does not matter, m ^ and $ at every line, s . is a line end too,
 *        u text is UTF-8 and classes are Unicode's, x blanks are for people
 *
 * Errors  PW_ERR_SYNTAX (why_out): no pattern, or a dangerous one; PW_ERR_NOMEM
 * Owner   caller, pw_pattern_free */
PW_MUST_CHECK enum pw_status pw_pattern_new(struct pw_pattern **out, struct pw_str text,
                                            struct pw_str flags, struct pw_buf *why_out);
void pw_pattern_free(struct pw_pattern **pattern);
/* Bytes of memory it takes. */
size_t pw_pattern_size(const struct pw_pattern *pattern);

/* Owner  caller, pw_matching_free
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_matching_new(struct pw_matching **out);
void pw_matching_free(struct pw_matching **matching);

#define PW_MATCH_AHEAD 1024 /* bytes that are looked at behind a beginning, at least */

/* Look for the first place. A place may be PW_MATCH_AHEAD long, or longer by luck.
 *
 * steps      so many at most; honest patterns do with pw_match_steps()
 * found_out  with PW_MATCH_YES: the place; may be NULL */
enum pw_match pw_pattern_match(const struct pw_pattern *pattern,
                               struct pw_matching *matching, struct pw_str text,
                               int64_t steps, struct pw_str *found_out);
/* Linear in the text, up to a limit: what grows with its square is given up early. */
int64_t pw_match_steps(size_t text_bytes);
