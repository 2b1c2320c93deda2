#include "core/tokens.h"

#include <string.h>

#include "core/ascii.h"
#include "core/map.h"

static const uint8_t key[16] = "postward tokens"; /* never to be changed */

static size_t slot_of(const struct pw_tokens *t, uint64_t token)
{
	size_t i = token & (PW_TOKEN_SLOTS - 1);

	while (t->slots[i] != 0 && t->at[t->slots[i] - 1] != token)
		i = (i + 1) & (PW_TOKEN_SLOTS - 1);
	return i;
}

size_t pw_tokens_find(const struct pw_tokens *t, uint64_t token)
{
	uint16_t place = t->slots[slot_of(t, token)];

	return place != 0 ? (size_t)place - 1 : t->count;
}

void pw_tokens_add(struct pw_tokens *t, uint64_t token)
{
	size_t i;

	if (t->count == PW_TOKENS_MAX)
		return;
	i = slot_of(t, token);
	if (t->slots[i] != 0)
		return;
	t->at[t->count++] = token;
	t->slots[i] = (uint16_t)t->count;
}

static uint64_t hash_word(const char *kind, struct pw_str word)
{
	char text[PW_TOKEN_KIND_MAX + 1 + PW_TOKEN_WORD_MAX];
	size_t len = 0;

	for (; kind[len] != '\0' && len < PW_TOKEN_KIND_MAX; len++)
		text[len] = kind[len];
	text[len++] = ':';
	for (size_t i = 0; i < word.len && i < PW_TOKEN_WORD_MAX; i++)
		text[len++] = pw_lower(word.at[i]);
	return pw_siphash(key, (struct pw_str){ text, len });
}

static void put64(char *out, uint64_t x)
{
	for (int i = 0; i < 8; i++)
		out[i] = (char)(x >> 8 * i & 0xff);
}

static uint64_t hash_pair(uint64_t first, uint64_t second)
{
	char text[16];

	put64(text, first);
	put64(text + 8, second);
	return pw_siphash(key, (struct pw_str){ text, sizeof(text) });
}

void pw_tokens_put(struct pw_tokens *t, const char *kind, struct pw_str value)
{
	if (value.len > 0)
		pw_tokens_add(t, hash_word(kind, value));
}

static bool is_word_byte(char c)
{
	return pw_is_alnum(c) || c == '$' || c == '!' || (unsigned char)c >= 0x80;
}

/* First byte of a character of a script without blanks between words: U+3000 to U+DFFF.
 */
static bool is_ideograph(char c)
{
	return (unsigned char)c >= 0xe3 && (unsigned char)c <= 0xed;
}

/* Take the next word off text; false at the end. */
static bool next_word(struct pw_str *text, struct pw_str *out)
{
	size_t start = 0, end;

	while (start < text->len && !is_word_byte(text->at[start]))
		start++;
	if (start == text->len)
		return false;
	end = start + 1;
	if (is_ideograph(text->at[start])) {
		while (end < text->len && end < start + 3 &&
		       ((unsigned char)text->at[end] & 0xc0) == 0x80)
			end++;
	} else {
		while (end < text->len && is_word_byte(text->at[end]) &&
		       !is_ideograph(text->at[end]))
			end++;
	}
	*out = pw_str_sub(*text, start, end - start);
	*text = pw_str_sub(*text, end, text->len);
	return true;
}

static bool is_number(struct pw_str word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!pw_is_digit(word.at[i]))
			return false;
	return word.len >= 4;
}

static uint64_t hash_number(const char *kind, size_t digits)
{
	static const char shape[PW_TOKEN_WORD_MAX + 1] =
		"########################################";

	return hash_word(kind, pw_str_sub(pw_str_from(shape), 0, digits));
}

void pw_tokens_words(struct pw_tokens *t, const char *kind, struct pw_str text,
                     bool with_pairs)
{
	uint64_t last = 0;
	bool has_last = false;
	struct pw_str word;

	text = pw_str_sub(text, 0, PW_TOKENS_TEXT_MAX);
	while (t->count < PW_TOKENS_MAX && next_word(&text, &word)) {
		uint64_t hash;

		if (word.len < 2)
			continue;
		hash = is_number(word) ? hash_number(kind, word.len)
		                       : hash_word(kind, word);
		pw_tokens_add(t, hash);
		if (with_pairs && has_last)
			pw_tokens_add(t, hash_pair(last, hash));
		last = hash;
		has_last = true;
	}
}
