#include "../table.h"

#include "origin/queue/data_reader.h"

struct row {
	const char *label, *input, *message, *rest; /* rest: NULL = it does not end */
};

/* clang-format off */
static struct row rows[] = {
	{ "a message",           "a\r\nb\r\n.\r\nQUIT\r\n", "a\r\nb\r\n", "QUIT\r\n" },
	{ "none at all",         ".\r\nQUIT\r\n", "", "QUIT\r\n" },
	{ "dots undone",         "..\r\n...x\r\n.y\r\nz.\r\n.\r\n", ".\r\n..x\r\ny\r\nz.\r\n", "" },
	{ "not at its end",      "a\r\n.", "a\r\n", NULL },
	/* the smuggling set: what stands behind stays inside the message */
	{ "LF . LF",             "a\n.\nMAIL\r\n.\r\n", "a\n.\nMAIL\r\n", "" },
	{ "LF . CRLF",           "a\n.\r\nMAIL\r\n.\r\n", "a\n.\r\nMAIL\r\n", "" },
	{ "CRLF . LF",           "a\r\n.\nMAIL\r\n.\r\n", "a\r\n\nMAIL\r\n", "" },
	{ "CRLF . CR CRLF",      "a\r\n.\r\r\nMAIL\r\n.\r\n", "a\r\n\r\r\nMAIL\r\n", "" },
	{ "CR . CR",             "a\r.\rMAIL\r\n.\r\n", "a\r.\rMAIL\r\n", "" },
	{ "CR . CRLF",           "a\r.\r\nMAIL\r\n.\r\n", "a\r.\r\nMAIL\r\n", "" },
	{ "CRLF . CR",           "a\r\n.\rMAIL\r\n.\r\n", "a\r\n\rMAIL\r\n", "" },
	{ "LF CR . CR LF",       "a\n\r.\r\nMAIL\r\n.\r\n", "a\n\r.\r\nMAIL\r\n", "" },
	{ "CR CRLF . CRLF ends", "a\r\r\n.\r\nMAIL\r\n", "a\r\r\n", "MAIL\r\n" },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;
	struct pw_str input = pw_str_from(row->input);

	for (size_t step = 1; step <= input.len; step++) {
		PW_AUTO(pw_buf_done) struct pw_buf message = { 0 };
		struct data_reader reader = { 0 };
		bool is_end = false;
		size_t at = 0;

		while (at < input.len && !is_end)
			at += data_read(&reader, pw_str_sub(input, at, step), &message,
			                &is_end);
		assert_string_equal(pw_buf_text(&message), row->message);
		assert_int_equal(is_end, row->rest != NULL);
		if (row->rest)
			assert_string_equal(row->input + at, row->rest);
	}
}

static void test_nul(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf message = { 0 };
	struct data_reader reader = { 0 };
	bool is_end;

	(void)state;
	assert_int_equal(
		data_read(&reader, PW_STR("\r\n.\0\r\n.\r\n"), &message, &is_end), 9);
	assert_true(is_end);
	assert_true(pw_str_eq(pw_buf_str(&message), PW_STR("\r\n\0\r\n")));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = { cmocka_unit_test(test_nul) };

	PW_TABLE_TESTS(tests, 1, rows, check_row);
	return cmocka_run_group_tests_name("data_reader", tests, NULL, NULL);
}
