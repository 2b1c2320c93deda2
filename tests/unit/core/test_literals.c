#include "../table.h"

#include <string.h>

#include "core/literals.h"

/* words: what a match needs, parted by '|' in that order; "" nothing is known. */
struct row {
	const char *label, *pattern, *flags, *words;
};

static struct row rows[] = {
	{ "a word", "foobar", "", "foobar" },
	{ "in lower case", "FooBar", "i", "foobar" },
	{ "the longest", "foo.foobar\\dbar", "", "foobar" },
	{ "too short", "fo.ba", "", "" },
	{ "no longer than kept", "abcdefghijklmnopqrstuvwxyz", "",
	  "abcdefghijklmnopqrstuvwx" },
	{ "edges of words", "\\bfoo\\b", "", "foo" },
	{ "anchors", "^foo$", "", "foo" },
	{ "escaped signs", "foo\\.com", "", "foo.com" },
	{ "one of two", "foo|quux", "", "foo|quux" },
	{ "one of two, one short", "foo|qu", "", "" },
	{ "of a group", "\\b(?:viagra|cialis) \\d", "", "viagra|cialis" },
	{ "better than a group", "foobar (?:foo|bar)", "", "foobar " },
	{ "a group that may be missing", "(?:foobar)?foo", "", "foo" },
	{ "a group some times", "(foobar)+", "", "foobar" },
	{ "a group never", "(foobar){0,3}", "", "" },
	{ "a group in a group", "((?:foo|bar)x)", "", "foo|bar" },
	{ "too many branches", "aaa|bbb|ccc|ddd|eee|fff|ggg|hhh|iii|jjj|kkk|lll|mmm", "",
	  "" },
	{ "a letter that may be missing", "foob?ar", "", "foo" },
	{ "a letter twice", "foo{2}bar", "", "foo" },
	{ "a letter some times", "foobar+s", "", "foobar" },
	{ "lazy", "foobar+?s", "", "foobar" },
	{ "braces", "foob{0,2}arx", "", "foo" },
	{ "a class between", "foo[^]a-z]barx", "", "barx" },
	{ "a class with a name", "foo[[:alpha:]]]barx", "", "]barx" },
	{ "a bracket in a class", "foo[[]barx", "", "barx" },
	{ "an escape in a class", "foo[\\]x]barx", "", "barx" },
	{ "a control sign in a class", "foo[\\c]]barx", "", "" },
	{ "looking ahead", "foo(?=barbar)", "", "foo" },
	{ "not looking ahead", "foo(?!barbar)", "", "foo" },
	{ "looking behind", "(?<=barbar)foo", "", "foo" },
	{ "a named group", "(?<n>foobar)x", "", "foobar" },
	{ "Python's named group", "(?P<n>foobar)x", "", "foobar" },
	{ "an atomic group", "(?>foobar)x", "", "foobar" },
	{ "settings", "(?i)FooBar", "", "foobar" },
	{ "settings of a group", "(?i:FooBar)", "", "foobar" },
	{ "letters with relatives", "booking sketch", "u", "ing " },
	{ "their neighbours", "booking online", "u", "ing online" },
	{ "letters of Unicode", "für alle", "u", "r alle" },
	{ "bytes", "für alle", "", "für alle" },
	{ "blanks for people", "foo bar", "x", "" },
	{ "x inside", "(?x)foo bar", "", "" },
	{ "a literal stretch", "\\Qfoo.bar\\E", "", "" },
	{ "a number", "foo\\x41bar", "", "" },
	{ "an earlier group", "(foo)\\1bar", "", "" },
	{ "recursion", "(foo(?1)?bar)", "", "" },
	{ "a condition", "(a)?(?(1)foo|bar)", "", "" },
	{ "a verb", "foo(*SKIP)bar", "", "" },
	{ "a comment", "foobar(?#x)*", "", "" },
	{ "braces of other versions", "foobar{,3}", "", "" },
	{ "nothing at all", "\\d+", "", "" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct pw_literals l;
	char words[400] = "";

	pw_literals_of(&l, pw_str_from(row->pattern), pw_str_from(row->flags));
	for (size_t i = 0; i < l.count; i++) {
		if (i > 0)
			strcat(words, "|");
		strncat(words, l.at[i].at, l.at[i].len);
	}
	assert_string_equal(words, row->words);
}

static void many_words_are_found_in_one_pass(void **state)
{
	struct pw_finder *finder = NULL;
	static bool marks[2000];
	char text[16];

	(void)state;
	assert_int_equal(pw_finder_new(&finder), PW_OK);
	for (size_t i = 0; i < 2000; i++) {
		struct pw_literals l = { .count = 1 };

		l.at[0].len =
			(size_t)snprintf(l.at[0].at, sizeof(l.at[0].at), "w%zux", i);
		assert_int_equal(pw_finder_add(finder, &l, i), PW_OK);
	}
	for (size_t i = 0; i < 2000; i++) {
		memset(marks, 0, sizeof(marks));
		(void)snprintf(text, sizeof(text), "a W%zuX", i);
		pw_finder_look(finder, pw_str_from(text), marks);
		for (size_t k = 0; k < 2000; k++)
			assert_int_equal(marks[k], k == i);
	}
	memset(marks, 0, sizeof(marks));
	pw_finder_look(finder, PW_STR("w1"), marks);
	pw_finder_look(finder, PW_STR(""), marks);
	pw_finder_look(finder, PW_STR("w77 x"), marks);
	for (size_t k = 0; k < 2000; k++)
		assert_false(marks[k]);
	pw_finder_free(&finder);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		cmocka_unit_test(many_words_are_found_in_one_pass),
	};

	PW_TABLE_TESTS(tests, 1, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
