#include "../table.h"

#include "core/buf.h"
#include "core/pairs.h"

enum flags { NONE, COMMENTS = 1, CONTINUED = 2 };

struct row {
	const char *label;
	int flags;
	const char *text, *want; /* line<name|value>... */
};

static struct row rows[] = {
	{ "one", NONE, "a b", "1<a|b>" },
	{ "two", NONE, "a b\nc d\n", "1<a|b>2<c|d>" },
	{ "CRLF", NONE, "a b\r\nc d\r\n", "1<a|b>2<c|d>" },
	{ "blanks", NONE, "  a \t b c \t\n", "1<a|b c>" },
	{ "no value", NONE, "a\n", "1<a|>" },
	{ "comments and blank lines", NONE, "# x\n\n  # y\na b\n", "4<a|b>" },
	{ "# inside stays", NONE, "a b # c\n", "1<a|b # c>" },
	{ "# inside begins a comment", COMMENTS, "a b # c\n#x\nd e", "1<a|b>3<d|e>" },
	{ "a line that is all comment", COMMENTS, "  # c\n", "" },
	{ "continued", CONTINUED, "a b,\n  c\n\td\ne f\n", "1<a|b,\n  c\n\td>4<e|f>" },
	{ "not continued", NONE, "a b\n c d\n", "1<a|b>2<c|d>" },
	{ "a blank line ends it", CONTINUED, "a b\n \n c d\n", "1<a|b>3<c|d>" },
	{ "value on the next line", CONTINUED, "a\n b\n", "1<a|b>" },
	{ "nothing", NONE, "", "" },
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_pairs pairs = { .rest = pw_str_from(row->text),
		                  .next_line = 1,
		                  .has_comments_anywhere = row->flags & COMMENTS,
		                  .has_continued_lines = row->flags & CONTINUED };
	struct pw_pair pair;

	while (pw_pairs_next(&pairs, &pair))
		pw_buf_printf(&got, "%u<%.*s|%.*s>", pair.line, PW_FMT(pair.name),
		              PW_FMT(pair.value));
	assert_string_equal(pw_buf_text(&got), row->want);
}

static void lists_are_parted(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_str rest = PW_STR(" a@b, c@d ,,\r\n\te@f "), one;

	(void)state;
	while (pw_list_next(&rest, &one))
		pw_buf_printf(&got, "<%.*s>", PW_FMT(one));
	assert_string_equal(pw_buf_text(&got), "<a@b><c@d><e@f>");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		cmocka_unit_test(lists_are_parted),
	};

	PW_TABLE_TESTS(tests, 1, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
