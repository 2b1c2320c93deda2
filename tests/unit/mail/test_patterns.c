#include "../table.h"

#include <string.h>
#include <time.h>

#include "core/literals.h"
#include "mail/patterns.h"

/* why: what the refusal says; NULL: it is taken, and finds found in text (NULL: not). */
struct row {
	const char *label, *pattern, *flags, *why, *text, *found;
};

static struct row rows[] = {
	{ "plain", "foo", "", NULL, "a foo", "foo" },
	{ "near miss", "foo", "", NULL, "a Foo", NULL },
	{ "case", "foo", "i", NULL, "a FOO", "FOO" },
	{ "umlaut without u", "ä", "i", NULL, "Ä", NULL },
	{ "umlaut with u", "ä", "iu", NULL, "Ä", "Ä" },
	{ "u on bytes that are none", "ä+", "u", NULL, "\xff\xfe ä", "ä" },
	{ "lines", "^b$", "m", NULL, "a\r\nb\r\nc", "b" },
	{ "not without m", "^b$", "", NULL, "a\nb\nc", NULL },
	{ "dot and line ends", "a.b", "s", NULL, "a\nb", "a\nb" },
	{ "blanks for people", "f o o", "x", NULL, "foo", "foo" },
	{ "empty text", "^$", "", NULL, "", "" },
	{ "place moved behind", "(?=ab\\K)", "", "\\K", "", NULL },
	{ "lookbehind", "(?<=\\$)\\d+", "", NULL, "$42", "42" },
	{ "quadratic is taken", "\\s+$", "", NULL, "a  b  ", "  " },
	{ "a list of words", "\\b(?:foo|bar)+\\b", "", NULL, "foobar", "foobar" },
	{ "words with blanks", "(?:\\w+\\s+){2,5}end", "", NULL, "a b c end",
	  "a b c end" },
	{ "bounded repetition", "(?:a{1,5}b){1,5}c", "", NULL, "ababc", "ababc" },

	{ "empty", "", "", "empty pattern", NULL, NULL },
	{ "no pattern", "(", "", "missing closing parenthesis", NULL, NULL },
	{ "unknown flag", "a", "ig", "letters of imsux", NULL, NULL },
	{ "nested plus", "(a+)+$", "", "repetitions in repetitions", NULL, NULL },
	{ "nested behind a word", "viagra(\\w+\\s?)*$", "i", "repetitions in repetitions",
	  NULL, NULL },
	{ "alternatives alike", "^(a|a)*$", "", "repetitions in repetitions", NULL,
	  NULL },
	{ "alternatives alike, a letter must come", "(a|a)*b", "",
	  "repetitions in repetitions", NULL, NULL },
	{ "nested of a class", "([^x]+)*y", "", "repetitions in repetitions", NULL,
	  NULL },
	{ "nested of a word", "(?:(?:foo)+)+$", "", "repetitions in repetitions", NULL,
	  NULL },
	{ "cubic", ".*a.*b.*c.*d.*e$", "s", "repetitions in repetitions", NULL, NULL },
	{ "a byte of a letter", "a\\Cb", "u", "\\C", NULL, NULL },
	{ "callout", "a(?C1)b", "", "callouts", NULL, NULL },
	{ "text callout", "a(?C'x')b", "", "callouts", NULL, NULL },
	{ "UTF by verb", "(*UTF)a", "", "use flags", NULL, NULL },
	{ "own limit", "(*LIMIT_MATCH=999999999)a", "", "use flags", NULL, NULL },
	{ "two verbs", "(*NO_START_OPT)(*UCP)a", "u", "use flags", NULL, NULL },
	{ "unbounded lookbehind", "(?<=a+)b", "", "lookbehind assertion is not", NULL,
	  NULL },
	{ "too deep",
	  "((((((((((((((((((((((((((((((((((((((((((((((((((("
	  "a)))))))))))))))))))))))))))))))))))))))))))))))))))",
	  "", "nested", NULL, NULL },
	{ "too large", "(?:(?:[a-z0-9]{50}){50}x){20}", "", "compiled", NULL, NULL },
	{ "far too large", "(((a{1,999}){1,999}){1,999}){1,999}", "", "large", NULL,
	  NULL },
	{ "recursion", "^(a(?1)?b|c)*$", "", NULL, "aabb", "aabb" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_pattern_free) struct pw_pattern *pattern = NULL;
	PW_AUTO(pw_matching_free) struct pw_matching *matching = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_str text = pw_str_from(row->text), found = { 0 };
	enum pw_status r = pw_pattern_new(&pattern, pw_str_from(row->pattern),
	                                  pw_str_from(row->flags), &why);

	if (row->why != NULL) {
		assert_int_equal(r, PW_ERR_SYNTAX);
		if (strstr(pw_buf_text(&why), row->why) == NULL)
			fail_msg("\"%s\"", pw_buf_text(&why));
		return;
	}
	if (r != PW_OK)
		fail_msg("refused: %s", pw_buf_text(&why));
	assert_int_equal(pw_matching_new(&matching), PW_OK);
	assert_int_equal(pw_pattern_match(pattern, matching, text,
	                                  pw_match_steps(text.len), &found),
	                 row->found != NULL ? PW_MATCH_YES : PW_MATCH_NO);
	assert_true(row->found == NULL || pw_str_eq(found, pw_str_from(row->found)));
}

static void what_grows_with_the_square_is_given_up(void **state)
{
	PW_AUTO(pw_pattern_free) struct pw_pattern *pattern = NULL;
	PW_AUTO(pw_matching_free) struct pw_matching *matching = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, why = { 0 };
	clock_t begin = clock();

	(void)state;
	assert_int_equal(pw_pattern_new(&pattern, PW_STR("\\s+$"), PW_STR(""), &why),
	                 PW_OK);
	assert_int_equal(pw_matching_new(&matching), PW_OK);
	for (size_t i = 0; i < 250000; i++)
		pw_buf_putc(&text, ' ');
	pw_buf_putc(&text, 'x');
	assert_int_equal(pw_pattern_match(pattern, matching, pw_buf_str(&text),
	                                  pw_match_steps(text.len), NULL),
	                 PW_MATCH_LIMIT);
	assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
}

/* Everywhere in a long text, and with what stands before and behind it. */
static void windows_show_nothing(void **state)
{
	PW_AUTO(pw_pattern_free) struct pw_pattern *pattern = NULL;
	PW_AUTO(pw_matching_free) struct pw_matching *matching = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, why = { 0 };
	struct pw_str found;

	(void)state;
	assert_int_equal(pw_pattern_new(&pattern, PW_STR("(?<=\\.)foo\\b|^x|x$"),
	                                PW_STR("u"), &why),
	                 PW_OK);
	assert_int_equal(pw_matching_new(&matching), PW_OK);
	for (size_t i = 0; i < 10000; i++) /* two bytes each */
		pw_buf_puts(&text, PW_STR("\xc3\xa4"));
	assert_int_equal(pw_pattern_match(pattern, matching, pw_buf_str(&text),
	                                  pw_match_steps(text.len), NULL),
	                 PW_MATCH_NO);
	for (size_t i = 0; i + 6 < text.len; i += 2) {
		memcpy(text.at + i, i % 4 == 0 ? ".foo " : ".foox ", 6);
		assert_int_equal(pw_pattern_match(pattern, matching, pw_buf_str(&text),
		                                  pw_match_steps(text.len), &found),
		                 i % 4 == 0 ? PW_MATCH_YES : PW_MATCH_NO);
		if (i % 4 == 0)
			assert_ptr_equal(found.at, text.at + i + 1);
		memcpy(text.at + i, "\xc3\xa4\xc3\xa4\xc3\xa4", 6);
	}
	text.at[text.len - 2] = 'y';
	text.at[text.len - 1] = 'x';
	assert_int_equal(pw_pattern_match(pattern, matching, pw_buf_str(&text),
	                                  pw_match_steps(text.len), NULL),
	                 PW_MATCH_YES);
}

/* Patterns and texts made by chance, of few letters, so that many match. */
static uint32_t chance(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % below;
}

static void make_pattern(struct pw_buf *out, uint32_t *state, unsigned depth)
{
	static const char *const atoms[] = { "a",
		                             "b",
		                             "ab",
		                             "bc",
		                             "abc",
		                             "k",
		                             "S",
		                             "cab",
		                             "\\.",
		                             ".",
		                             "[ab]",
		                             "[^c]",
		                             "[]a]",
		                             "\\w",
		                             "\\b",
		                             "\\s",
		                             "^",
		                             "$",
		                             "(?i)",
		                             "(?=a)",
		                             "(?!b)",
		                             "\\K",
		                             "[[:alpha:]b]",
		                             "(?<=b)",
		                             "ü" };
	static const char *const times[] = { "",  "",    "",      "",     "?",  "*",
		                             "+", "{2}", "{0,2}", "{1,}", "+?", "?+" };
	static const char *const groups[] = { "(", "(?:", "(?>", "(?|", "(?i:", "(?<n>" };

	for (uint32_t i = 1 + chance(state, 5); i > 0; i--) {
		if (depth < 3 && chance(state, 4) == 0) {
			/* a name stands once */
			pw_buf_puts(
				out,
				pw_str_from(groups[chance(state, depth == 0 ? 6 : 5)]));
			make_pattern(out, state, depth + 1);
			for (uint32_t n = chance(state, 3); n > 0; n--) {
				pw_buf_putc(out, '|');
				make_pattern(out, state, depth + 1);
			}
			pw_buf_putc(out, ')');
		} else {
			pw_buf_puts(out,
			            pw_str_from(atoms[chance(state, PW_LEN(atoms))]));
		}
		pw_buf_puts(out, pw_str_from(times[chance(state, PW_LEN(times))]));
	}
}

static void make_text(struct pw_buf *out, uint32_t *state)
{
	static const char *const letters[] = {
		"a",       "b", "c", "A", "B", "s", "K", ".", " ", "ü", "\xe2\x84\xaa",
		"\xc5\xbf"
	};

	for (uint32_t i = chance(state, 60); i > 0; i--)
		pw_buf_puts(out, pw_str_from(letters[chance(state, PW_LEN(letters))]));
}

static size_t try_texts(const struct pw_pattern *pattern, const struct pw_finder *finder,
                        struct pw_str shown, uint32_t *state)
{
	PW_AUTO(pw_matching_free) struct pw_matching *matching = NULL;
	size_t matches = 0;

	assert_int_equal(pw_matching_new(&matching), PW_OK);
	for (size_t i = 0; i < 100; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
		bool mark = false;

		make_text(&text, state);
		pw_finder_look(finder, pw_buf_str(&text), &mark);
		if (pw_pattern_match(pattern, matching, pw_buf_str(&text),
		                     pw_match_steps(text.len), NULL) != PW_MATCH_YES)
			continue;
		matches++;
		if (!mark)
			fail_msg("\"%.*s\" matches \"%s\"", PW_FMT(shown),
			         pw_buf_text(&text));
	}
	return matches;
}

static void whatever_matches_has_a_word_that_is_needed(void **unused)
{
	uint32_t state = 1;
	size_t matches = 0, patterns = 0;

	(void)unused;
	for (size_t i = 0; i < 30000; i++) {
		static const char *const flags[] = { "", "i", "iu", "u" };
		const char *how = flags[chance(&state, PW_LEN(flags))];
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, why = { 0 };
		PW_AUTO(pw_pattern_free) struct pw_pattern *pattern = NULL;
		PW_AUTO(pw_finder_free) struct pw_finder *finder = NULL;
		struct pw_literals literals;

		make_pattern(&text, &state, 0);
		pw_literals_of(&literals, pw_buf_str(&text), pw_str_from(how));
		if (literals.count == 0 ||
		    pw_pattern_new(&pattern, pw_buf_str(&text), pw_str_from(how), &why) !=
		            PW_OK)
			continue;
		patterns++;
		assert_int_equal(pw_finder_new(&finder), PW_OK);
		assert_int_equal(pw_finder_add(finder, &literals, 0), PW_OK);
		matches += try_texts(pattern, finder, pw_buf_str(&text), &state);
	}
	if (patterns < 1000 || matches < 1000)
		fail_msg("%zu patterns, %zu matches", patterns, matches);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 3] = {
		cmocka_unit_test(what_grows_with_the_square_is_given_up),
		cmocka_unit_test(windows_show_nothing),
		cmocka_unit_test(whatever_matches_has_a_word_that_is_needed),
	};

	PW_TABLE_TESTS(tests, 3, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
