/* Text that becomes UTF-8. */
#include "../table.h"

#include "core/utf8.h"

struct row {
	const char *label;
	struct pw_str text, wanted;
};

#define BAD "\xef\xbf\xbd"

/* clang-format off */
static struct row rows[] = {
	{ "nothing",         PW_STR(""), PW_STR("") },
	{ "good characters", PW_STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), PW_STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") },
	{ "NUL stays",       PW_STR("a\0b"), PW_STR("a\0b") },
	{ "Latin-1",         PW_STR("J\xf6rg"), PW_STR("J" BAD "rg") },
	{ "cut off",         PW_STR("a\xe2\x82"), PW_STR("a" BAD BAD) },
	{ "overlong",        PW_STR("\xc0\xaf"), PW_STR(BAD BAD) },
	{ "surrogate",       PW_STR("\xed\xa0\x80."), PW_STR(BAD BAD BAD ".") },
	{ "too high",        PW_STR("\xf4\x90\x80\x80"), PW_STR(BAD BAD BAD BAD) },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 }, twice = { 0 };

	pw_utf8_put(&once, row->text);
	assert_true(pw_str_eq(pw_buf_str(&once), row->wanted));
	pw_utf8_put(&twice, pw_buf_str(&once));
	assert_true(pw_str_eq(pw_buf_str(&twice), row->wanted));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
