#include "../table.h"

#include <string.h>

#include "core/tokens.h"

static struct pw_tokens one, two;

/* The tokens of text; pairs too. */
static void read_words(struct pw_tokens *out, const char *kind, const char *text)
{
	memset(out, 0, sizeof(*out));
	pw_tokens_words(out, kind, pw_str_from(text), true);
}

static bool is_same(const struct pw_tokens *a, const struct pw_tokens *b)
{
	return a->count == b->count &&
	       memcmp(a->at, b->at, a->count * sizeof(a->at[0])) == 0;
}

struct row {
	const char *label;
	const char *text;
	size_t count; /* words and pairs */
};
static struct row rows[] = {
	{ "nothing", "", 0 },
	{ "one word", "hello", 1 },
	{ "two words and their pair", "hello world", 3 },
	{ "three words, two pairs", "one two three", 5 },
	{ "a word twice is one token, its neighbours differ", "one two one", 4 },
	{ "single letters are none", "a b c", 0 },
	{ "punctuation parts", "one,two;three", 5 },
	{ "money and shouting are of a word", "win $$$ now!!!", 5 },
	{ "bytes of other scripts",
	  "gr\xc3\xbc\xc3\x9f"
	  "e z\xc3\xbcrich",
	  3 },
	{ "each Chinese character", "\xe4\xbd\xa0\xe5\xa5\xbd", 3 },
	{ "and what stands between them", "\xe4\xbd\xa0hello\xe5\xa5\xbd", 5 },
	{ "broken UTF-8", "\xe4\xbd \xff\xff \x80\x80", 5 },
};

static void counts(void **state)
{
	const struct row *row = *state;

	read_words(&one, "", row->text);
	assert_int_equal(one.count, row->count);
	for (size_t i = 0; i < one.count; i++)
		assert_int_equal(pw_tokens_find(&one, one.at[i]), i);
}

struct alike_row {
	const char *label;
	const char *kind_a, *a, *kind_b, *b;
	bool is_same;
};
static struct alike_row alike_rows[] = {
	{ "case does not matter", "", "Free MONEY", "", "free money", true },
	{ "blanks do not matter", "", "free  \r\n\tmoney", "", "free money", true },
	{ "order does", "", "free money", "", "money free", false },
	{ "the kind does", "", "free", "subject", "free", false },
	{ "kind and word do not flow together", "aa", "bb", "", "aa:bb", false },
	{ "numbers of as many digits are alike", "", "1234", "", "9876", true },
	{ "of more are not", "", "1234", "", "12345", false },
	{ "short ones are words", "", "419", "", "420", false },
	{ "what is cut is alike", "", "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd1", "",
	  "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd2", true },
};

static void alike(void **state)
{
	const struct alike_row *row = *state;

	read_words(&one, row->kind_a, row->a);
	read_words(&two, row->kind_b, row->b);
	assert_int_equal(is_same(&one, &two), row->is_same);
}

/* Hosts and releases share what was learned. */
static void hashes_never_change(void **state)
{
	(void)state;
	read_words(&one, "", "free money");
	assert_true(one.at[0] == 0xf12714087cbb27f8u);
	assert_true(one.at[1] == 0x16b9a9fa9cfc139au);
	assert_true(one.at[2] == 0xbb91a3e82cece8f2u);
}

static void the_first_ones_are_kept(void **state)
{
	char text[PW_TOKENS_MAX * 12 + 1];
	size_t len = 0;

	(void)state;
	for (int i = 0; i < PW_TOKENS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "w%dw ", i);
	read_words(&one, "", text);
	assert_int_equal(one.count, PW_TOKENS_MAX);
	pw_tokens_words(&one, "", PW_STR("more words"), true);
	pw_tokens_put(&one, "from", PW_STR("example.org"));
	assert_int_equal(one.count, PW_TOKENS_MAX);
	read_words(&two, "", "w0w w1w");
	for (size_t i = 0; i < two.count; i++)
		assert_true(pw_tokens_find(&one, two.at[i]) < one.count);
}

static void no_more_of_a_text_is_read(void **state)
{
	static char text[PW_TOKENS_TEXT_MAX + 16];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text + PW_TOKENS_TEXT_MAX, "late words", 10);
	memset(&one, 0, sizeof(one));
	pw_tokens_words(&one, "", (struct pw_str){ text, sizeof(text) }, true);
	assert_int_equal(one.count, 0);
}

static void a_value_is_one_token(void **state)
{
	(void)state;
	memset(&one, 0, sizeof(one));
	pw_tokens_put(&one, "from", PW_STR(""));
	assert_int_equal(one.count, 0);
	pw_tokens_put(&one, "from", PW_STR("two words"));
	pw_tokens_put(&one, "from", PW_STR("TWO WORDS"));
	assert_int_equal(one.count, 1);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + PW_LEN(alike_rows) + 4] = {
		cmocka_unit_test(hashes_never_change),
		cmocka_unit_test(the_first_ones_are_kept),
		cmocka_unit_test(no_more_of_a_text_is_read),
		cmocka_unit_test(a_value_is_one_token),
	};

	PW_TABLE_TESTS(tests, 4, rows, counts);
	PW_TABLE_TESTS(tests, 4 + PW_LEN(rows), alike_rows, alike);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
