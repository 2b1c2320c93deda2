/* What Bayes knows a message by: distinct 64-bit hashes of its words, of pairs of words
 * that stand near each other, and of what its header tells. Bytes of strangers in, a
 * bounded set out, in time linear in what is read. Pure.
 *
 * Every text belongs to a kind ("from", "url", "" for the words a reader sees): the same
 * word of two kinds is two tokens. A token is SipHash-2-4 of kind, ':' and the word in
 * lower case, under a key that never changes, so that what one host learned all know.
 * Whoever changes which tokens a message has raises PW_TOKENS_VERSION. */
#pragma once

#include <stdint.h>

#include "core/str.h"

#define PW_TOKENS_VERSION 1
#define PW_TOKENS_VERSION_TEXT "1"
/* Distinct tokens kept of a message; the first ones, so put what tells most first. */
#define PW_TOKENS_MAX 1000
#define PW_TOKEN_KIND_MAX 16               /* bytes of a kind */
#define PW_TOKEN_WORD_MAX 40               /* bytes; longer words are cut */
#define PW_TOKENS_TEXT_MAX ((size_t)32768) /* bytes read of one text */

#define PW_TOKEN_SLOTS 2048 /* power of two, at least twice PW_TOKENS_MAX */

/* All zero is the empty set. */
struct pw_tokens {
	uint64_t at[PW_TOKENS_MAX]; /* in the order they came */
	size_t count;
	uint16_t slots[PW_TOKEN_SLOTS]; /* place in `at` plus 1; 0 = free */
};

/* One token: value as a whole, ASCII in lower case, cut at PW_TOKEN_WORD_MAX. The empty
 * value is none. */
void pw_tokens_put(struct pw_tokens *t, const char *kind, struct pw_str value);
/* Each word of a text, UTF-8 or not; with_pairs: and each pair of
 * neighbours. Words are runs of letters, digits, '$', '!' and bytes above 127, of two
 * letters or more; Chinese, Japanese and Korean characters are a word each; what is of
 * four or more digits alone is known by their number. */
void pw_tokens_words(struct pw_tokens *t, const char *kind, struct pw_str text,
                     bool with_pairs);
/* One that was hashed elsewhere; beyond PW_TOKENS_MAX it is dropped. */
void pw_tokens_add(struct pw_tokens *t, uint64_t token);
/* Place of a token in `at`; t->count if it has none. */
size_t pw_tokens_find(const struct pw_tokens *t, uint64_t token);
