/* Wording, and tricks played with letters. */
#include <string.h>

#include "mail/checks_room.h"
#include "mail/phrases.h"

#define LINE_MAX_GOOD 998            /* bytes, without its end */
#define SCAN_MAX ((size_t)64 * 1024) /* bytes of text whose letters are counted */

/* clang-format off */
static const struct {
	enum pw_symbol symbol;
	unsigned from, full; /* points: where it begins, where it counts in full */
} classes[PW_PHRASE_CLASSES] = {
	[PW_PHRASES_REMOVE]    = { PW_SYM_EXCUSE_REMOVE,  2,  8 },
	[PW_PHRASES_MARKETING] = { PW_SYM_MARKETING,      2, 12 },
	[PW_PHRASES_ACCOUNT]   = { PW_SYM_PHISH_EMOTION,  2, 10 },
	[PW_PHRASES_FEE]       = { PW_SYM_ADVANCE_FEE,    5, 20 },
	[PW_PHRASES_LOAN]      = { PW_SYM_LOAN_DEBT,      3, 10 },
	[PW_PHRASES_RICH]      = { PW_SYM_GET_RICH,       3, 12 },
	[PW_PHRASES_STOCK]     = { PW_SYM_STOCK_PROMO,    4, 12 },
	[PW_PHRASES_PHARMA]    = { PW_SYM_PHARMA,         3,  9 },
	[PW_PHRASES_ADULT]     = { PW_SYM_ADULT,          3,  9 },
	[PW_PHRASES_OFFER]     = { PW_SYM_BUSINESS_OFFER, 4, 14 },
	[PW_PHRASES_FORM]      = { PW_SYM_FORM_FILL,      3,  8 },
	[PW_PHRASES_THREAT]    = { PW_SYM_BTC_EXTORTION,  6,  6 }, /* with an address only */
	[PW_PHRASES_TECH]      = { PW_SYM_TECH_TALK,      2,  4 },
};
/* clang-format on */

/* Base58 of 26..35 bytes that begins with 1 or 3, or bc1 and 39 or more. */
static struct pw_str bitcoin_address(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		size_t end = i;
		bool mixed = false;

		if (i > 0 &&
		    (pw_is_alnum(s.at[i - 1]) || strchr("/=-_.%", s.at[i - 1]) != NULL))
			continue;
		while (end < s.len && pw_is_alnum(s.at[end])) {
			mixed = mixed || (s.at[end] >= 'A' && s.at[end] <= 'Z');
			end++;
		}
		if ((s.at[i] == '1' || s.at[i] == '3') && mixed && end - i >= 26 &&
		    end - i <= 35)
			return pw_str_sub(s, i, end - i);
		if (pw_str_starts(pw_str_sub(s, i, 3), PW_STR("bc1")) && end - i >= 39 &&
		    end - i <= 62)
			return pw_str_sub(s, i, end - i);
		i = end > i ? end - 1 : i;
	}
	return (struct pw_str){ "", 0 };
}

static void check_phrases(const struct pw_check *c)
{
	struct pw_phrase_count counts[PW_PHRASE_CLASSES];
	struct pw_str address = bitcoin_address(c->message->text);

	pw_phrases_count(counts, c->message->lower);
	if (address.len > 0)
		pw_fire(c, PW_SYM_BITCOIN_ADDR, address);
	for (size_t i = 0; i < PW_PHRASE_CLASSES; i++) {
		unsigned points = counts[i].points;

		if (points < classes[i].from ||
		    (i == PW_PHRASES_THREAT && address.len == 0))
			continue;
		pw_hits_add(c->hits, classes[i].symbol,
		            (int32_t)(points >= classes[i].full
		                              ? 1000
		                              : points * 1000 / classes[i].full),
		            counts[i].first);
	}
}

/* "$4,500,000.00", "10.5 million": digits in groups. */
static void check_money(const struct pw_check *c)
{
	struct pw_str s = pw_str_sub(c->message->lower, 0, SCAN_MAX);

	for (size_t i = 0; i + 8 < s.len; i++) {
		if (!pw_is_digit(s.at[i]) || (i > 0 && pw_is_digit(s.at[i - 1])))
			continue;
		for (size_t k = i; k < i + 4 && k + 7 < s.len; k++)
			if ((s.at[k] == ',' || s.at[k] == '.') &&
			    pw_str_starts(pw_str_sub(s, k + 1, 7), PW_STR("000")) &&
			    (s.at[k + 4] == ',' || s.at[k + 4] == '.') &&
			    s.at[k + 5] == '0')
				pw_fire(c, PW_SYM_LOTS_OF_MONEY, pw_str_sub(s, i, 14));
		if (pw_str_starts(
			    pw_str_sub(s, i + pw_str_find(pw_str_sub(s, i, 6), ' '), 8),
			    PW_STR(" million")))
			pw_fire(c, PW_SYM_LOTS_OF_MONEY, pw_str_sub(s, i, 14));
	}
}

static void check_letters(const struct pw_check *c)
{
	struct pw_str s = pw_str_sub(c->message->text, 0, SCAN_MAX);
	size_t upper = 0, lower = 0, exclaim = 0;

	for (size_t i = 0; i < s.len; i++) {
		upper += s.at[i] >= 'A' && s.at[i] <= 'Z';
		lower += s.at[i] >= 'a' && s.at[i] <= 'z';
		exclaim += s.at[i] == '!';
	}
	if (upper >= 100 && upper * 3 > lower)
		pw_fire(c, PW_SYM_BODY_CAPS, PW_STR(""));
	if (exclaim >= 5 && exclaim * 150 > lower)
		pw_fire(c, PW_SYM_BODY_EXCLAIM, PW_STR(""));
}

enum script { SCRIPT_NONE, SCRIPT_LATIN, SCRIPT_CYRILLIC, SCRIPT_GREEK };

/* Script of the character at b, and its length. */
static enum script script_of(const unsigned char *b, size_t left, size_t *len)
{
	*len = 1;
	if (b[0] < 0x80)
		return pw_is_alpha((char)b[0]) ? SCRIPT_LATIN : SCRIPT_NONE;
	*len = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	if (*len > left)
		*len = left;
	if (b[0] >= 0xc3 && b[0] <= 0xc9)
		return SCRIPT_LATIN;
	if (b[0] == 0xd0 || b[0] == 0xd1)
		return SCRIPT_CYRILLIC;
	return b[0] == 0xce || b[0] == 0xcf ? SCRIPT_GREEK : SCRIPT_NONE;
}

/* U+200B..U+200D, U+2060, U+FEFF, U+00AD between two letters. */
static bool is_invisible(const unsigned char *b, size_t left)
{
	if (left >= 2 && b[0] == 0xc2 && b[1] == 0xad)
		return true;
	return left >= 3 &&
	       ((b[0] == 0xe2 && b[1] == 0x80 && b[2] >= 0x8b && b[2] <= 0x8d) ||
	        (b[0] == 0xe2 && b[1] == 0x81 && b[2] == 0xa0) ||
	        (b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf));
}

static void check_scripts(const struct pw_check *c)
{
	struct pw_str s = pw_str_sub(c->message->text, 0, SCAN_MAX);
	const unsigned char *b = (const unsigned char *)s.at;
	enum script word = SCRIPT_NONE;
	unsigned mixed = 0, invisible = 0;
	size_t len;

	for (size_t i = 0; i < s.len; i += len) {
		enum script here = script_of(b + i, s.len - i, &len);

		if (here == SCRIPT_NONE && is_invisible(b + i, s.len - i)) {
			invisible += word != SCRIPT_NONE && i + len < s.len &&
			             pw_is_alpha(s.at[i + len]);
			continue;
		}
		mixed += word != SCRIPT_NONE && here != SCRIPT_NONE && here != word;
		word = here;
	}
	if (mixed >= 3)
		pw_fire(c, PW_SYM_MIXED_SCRIPT_WORDS, PW_STR(""));
	if (invisible >= 5)
		pw_fire(c, PW_SYM_ZERO_WIDTH_WORDS, PW_STR(""));
}

/* Words of the last line that have no vowel: filler against word lists. */
static void check_tail(const struct pw_check *c)
{
	struct pw_str s = pw_str_trim(c->message->lower);
	size_t start = s.len > 120 ? s.len - 120 : 0, run = 0, vowels = 0;
	unsigned odd = 0;

	for (size_t i = start; i <= s.len; i++) {
		if (i < s.len && pw_is_alpha(s.at[i])) {
			run++;
			vowels += strchr("aeiouy", s.at[i]) != NULL;
			continue;
		}
		odd += run >= 5 && run <= 20 && vowels == 0;
		run = vowels = 0;
	}
	if (odd >= 2)
		pw_fire(c, PW_SYM_GIBBERISH_TAIL, PW_STR(""));
}

static void check_greeting(const struct pw_check *c)
{
	static const char *const words[] = { "friend", "customer",    "user",
		                             "member", "client",      "sir",
		                             "madam",  "homeowner",   "valued",
		                             "winner", "beneficiary", "investor" };
	struct pw_str head = pw_str_sub(c->message->lower, 0, 300);

	for (size_t i = 0; i + 5 < head.len; i++) {
		if (!pw_str_starts(pw_str_sub(head, i, 6), PW_STR(" dear ")))
			continue;
		for (size_t k = 0; k < PW_LEN(words); k++)
			if (pw_str_starts(pw_str_sub(head, i + 6, head.len),
			                  pw_str_from(words[k])))
				pw_fire(c, PW_SYM_DEAR_SOMETHING, pw_str_from(words[k]));
	}
}

/* RFC 5322 2.1.1: at most 998 bytes; what is encoded has its own lines. */
static bool has_long_line(struct pw_str s)
{
	while (s.at != NULL && s.len > LINE_MAX_GOOD)
		if (pw_str_cut(&s, '\n').len > LINE_MAX_GOOD + 1)
			return true;
	return false;
}

static void check_lines(const struct pw_check *c)
{
	for (size_t i = 0; i < c->message->part_count; i++) {
		const struct pw_part *part = &c->message->parts[i];

		if (pw_str_starts(part->type, PW_STR("text/")) && !part->is_attachment &&
		    part->leaf->encoding < PW_MIME_BINARY && has_long_line(part->body))
			pw_fire(c, PW_SYM_BODY_LONG_LINES, part->type);
	}
}

void pw_check_text(const struct pw_check *c)
{
	check_lines(c);
	check_phrases(c);
	check_money(c);
	check_letters(c);
	check_scripts(c);
	check_tail(c);
	check_greeting(c);
}
