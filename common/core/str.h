/* A borrowed slice of bytes: pointer and length, no NUL promised, any byte allowed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "core/status.h"

struct pw_str {
	const char *at;
	size_t len;
};

/* A slice of a string literal. */
#define PW_STR(literal) ((struct pw_str){ (literal), sizeof(literal) - 1 })
/* For "%.*s": two arguments from one slice (cut at INT_MAX by the caller's limits). */
#define PW_FMT(s) (int)(s).len, (s).at

/* Slice of a C string; NULL gives the empty slice. Borrowed from text. */
struct pw_str pw_str_from(const char *text);

bool pw_str_eq(struct pw_str a, struct pw_str b);
/* Equal but for the case of ASCII letters. */
bool pw_str_eq_nocase(struct pw_str a, struct pw_str b);
bool pw_str_starts(struct pw_str s, struct pw_str prefix);
bool pw_str_starts_nocase(struct pw_str s, struct pw_str prefix);
bool pw_str_ends_nocase(struct pw_str s, struct pw_str suffix);

/* Position of the first byte c, or s.len if there is none; rfind: of the last. */
size_t pw_str_find(struct pw_str s, char c);
size_t pw_str_rfind(struct pw_str s, char c);
/* Does s contain needle (exact bytes)? The empty needle is in everything. */
bool pw_str_contains(struct pw_str s, struct pw_str needle);

/* Part from start (bytes), at most len bytes; both are cut to what s has. */
struct pw_str pw_str_sub(struct pw_str s, size_t start, size_t len);

/* Cut at the first byte c: returns what is before it and leaves in *rest what is after it.
 * Without c it returns everything and leaves *rest empty with at == NULL. */
struct pw_str pw_str_cut(struct pw_str *rest, char c);

/* Without leading and trailing SP and HTAB (trim_wsp), or also CR and LF (trim). */
struct pw_str pw_str_trim_wsp(struct pw_str s);
struct pw_str pw_str_trim(struct pw_str s);

/* Parse all of s as a decimal integer min..max; optional leading '-', no blanks.
 *
 * Errors  PW_ERR_SYNTAX not a number; PW_ERR_RANGE outside min..max or int64 */
PW_MUST_CHECK enum pw_status pw_str_to_int64(struct pw_str s, int64_t min, int64_t max,
                                             int64_t *out);
