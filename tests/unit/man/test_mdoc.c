#include "../table.h"

#include "man/mdoc.h"

struct row {
	const char *label, *in, *prose, *macro;
};

#define TEN "ten bytes "

/* clang-format off */
static struct row rows[] = {
	{ "plain", "two words", "two words\n", ".Ql \"\\&two words\" ,\n" },
	{ "empty", "", "", ".Ql \"\\&\" ,\n" },
	{ "blanks only", "   ", "", ".Ql \"\\&   \" ,\n" },
	{ "backslash", "\\fB\\", "\\efB\\e\n", ".Ql \"\\&\\efB\\e\" ,\n" },
	{ "quotes", "a=\"b\" 'c'", "a=\\(dqb\\(dq \\(aqc\\(aq\n", ".Ql \"\\&a=\\(dqb\\(dq \\(aqc\\(aq\" ,\n" },
	{ "what is made prettier", "a-b ` ^ ~", "a\\-b \\(ga \\(ha \\(ti\n", ".Ql \"\\&a\\-b \\(ga \\(ha \\(ti\" ,\n" },
	{ "a request", ".Sh X", "\\&.Sh X\n", ".Ql \"\\&.Sh X\" ,\n" },
	{ "the other request mark", "'br", "\\(aqbr\n", ".Ql \"\\&\\(aqbr\" ,\n" },
	{ "a macro's name", "No", "No\n", ".Ql \"\\&No\" ,\n" },
	{ "a mark", ",", ",\n", ".Ql \"\\&,\" ,\n" },
	{ "sentences", "One. Two (2.) Three", "One.\nTwo (2.)\nThree\n", ".Ql \"\\&One. Two (2.) Three\" ,\n" },
	{ "no sentence", "as e.g. this, 1 . 2", "as e.g. this, 1 . 2\n", ".Ql \"\\&as e.g. this, 1 . 2\" ,\n" },
	{ "blanks between", "  a   b  ", "a b\n", ".Ql \"\\&  a   b  \" ,\n" },
	{ "a long line", TEN TEN TEN TEN TEN TEN TEN TEN, TEN TEN TEN TEN TEN TEN "ten bytes\nten bytes\n", NULL },
	{ "a dot where a line is broken", TEN TEN TEN TEN TEN TEN TEN ".dot", TEN TEN TEN TEN TEN TEN "ten bytes\n\\&.dot\n", NULL },
	{ "escapes count", "---------------- -------------------- xx", "\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\n\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\-\\- xx\n", NULL },
	{ "longer than a line", TEN TEN "0123456789012345678901234567890123456789012345678901234567890123456789012345", TEN "ten bytes\n0123456789012345678901234567890123456789012345678901234567890123456789012345\n", NULL },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf prose = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf macro = { 0 };

	mdoc_put_prose(&prose, pw_str_from(row->in));
	assert_string_equal(pw_buf_text(&prose), row->prose);
	if (row->macro == NULL)
		return;
	mdoc_put_macro(&macro, "Ql", pw_str_from(row->in), ",");
	assert_string_equal(pw_buf_text(&macro), row->macro);
}

static void text_goes_on_where_the_buffer_ends(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++)
		mdoc_put_prose(&out, PW_STR("a b"));
	assert_int_equal(pw_buf_status(&out), PW_OK);
	assert_int_equal(out.len, 20 * 4);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	tests[PW_LEN(rows)] =
		(struct CMUnitTest)cmocka_unit_test(text_goes_on_where_the_buffer_ends);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
