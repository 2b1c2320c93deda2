#include "../table.h"

#include <string.h>

#include "origin/queue/answer.h"

struct row {
	const char *label;
	int code;
	const char *enhanced, *text, *answer;
};

/* clang-format off */
static struct row rows[] = {
	{ "as it was",             250, "2.0.0", "Ok: queued as 4jdX",     "250 2.0.0 Ok: queued as 4jdX\r\n" },
	{ "without enhanced code", 250, "",      "Ok",                     "250 Ok\r\n" },
	{ "several lines",         550, "5.7.1", "no\nAsk postmaster",     "550-5.7.1 no\r\n550 5.7.1 Ask postmaster\r\n" },
	{ "code alone",            250, "",      "",                       "250 \r\n" },
	{ "enhanced code alone",   250, "2.0.0", "",                       "250 2.0.0\r\n" },
	{ "421 is for later",      421, "4.7.0", "leaving\nnow",           "451-4.7.0 leaving\r\n451 4.7.0 now\r\n" },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	answer_put(&out, row->code, row->enhanced, pw_str_from(row->text));
	assert_string_equal(pw_buf_text(&out), row->answer);
}

static void test_say(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	answer_say(&out, 354, "", "Go on");
	answer_say(&out, 250, "2.1.0", "Ok");
	assert_string_equal(pw_buf_text(&out), "354 Go on\r\n250 2.1.0 Ok\r\n");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = { cmocka_unit_test(test_say) };

	PW_TABLE_TESTS(tests, 1, rows, check_row);
	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
