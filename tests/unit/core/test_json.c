#include "../table.h"

#include "core/json.h"

struct row {
	const char *label;
	struct pw_str in;
	const char *out;
};

#define REPLACED "\xef\xbf\xbd"

static struct row rows[] = {
	{ "empty", PW_STR(""), "\"\"" },
	{ "plain", PW_STR("ann@example.test"), "\"ann@example.test\"" },
	{ "quote and backslash", PW_STR("a\"b\\c"), "\"a\\\"b\\\\c\"" },
	{ "line ends and controls", PW_STR("a\r\n\t\x1b"),
	  "\"a\\u000d\\u000a\\u0009\\u001b\"" },
	{ "DEL", PW_STR("\x7f"), "\"\\u007f\"" },
	{ "NUL", PW_STR("a\0b"), "\"a" REPLACED "b\"" },
	{ "two, three and four bytes", PW_STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xa7"),
	  "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xa7\"" },
	{ "lone continuation", PW_STR("a\x80z"), "\"a" REPLACED "z\"" },
	{ "cut short", PW_STR("\xe2\x82"), "\"" REPLACED REPLACED "\"" },
	{ "overlong slash", PW_STR("\xc0\xaf"), "\"" REPLACED REPLACED "\"" },
	{ "overlong in three", PW_STR("\xe0\x80\xaf"),
	  "\"" REPLACED REPLACED REPLACED "\"" },
	{ "surrogate", PW_STR("\xed\xa0\x80"), "\"" REPLACED REPLACED REPLACED "\"" },
	{ "above U+10FFFF", PW_STR("\xf4\x90\x80\x80"),
	  "\"" REPLACED REPLACED REPLACED REPLACED "\"" },
	{ "latin 1", PW_STR("gr\xfc\xdf"), "\"gr" REPLACED REPLACED "\"" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	pw_json_put_string(&out, row->in);
	assert_int_equal(pw_buf_status(&out), PW_OK);
	assert_string_equal(pw_buf_text(&out), row->out);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
