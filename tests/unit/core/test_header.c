#include "../table.h"

#include "core/header.h"

struct row {
	const char *label, *message;
	const char *fields; /* "name|value\n" of each */
	const char *body;
};

static struct row rows[] = {
	{ "two fields and a body", "A: 1\r\nB: 2\r\n\r\nbody\r\n", "A| 1\nB| 2\n",
	  "body\r\n" },
	{ "bare LF", "A: 1\nB: 2\n\nbody", "A| 1\nB| 2\n", "body" },
	{ "folds are kept", "A: 1\r\n\t2\r\n 3\r\n\r\n", "A| 1\r\n\t2\r\n 3\n", "" },
	{ "blank before the colon", "Subject : x\r\n\r\n", "Subject| x\n", "" },
	{ "no blank after the colon", "A:1\r\n\r\n", "A|1\n", "" },
	{ "colon only in the fold", "A\r\n b: 1\r\n\r\n", "", "A\r\n b: 1\r\n\r\n" },
	{ "a line that is no field", "A: 1\r\nrubbish\r\n\r\nx", "A| 1\n",
	  "rubbish\r\n\r\nx" },
	{ "ends without an empty line", "A: 1\r\nB: 2", "A| 1\nB| 2\n", "" },
	{ "empty value", "A:\r\n\r\n", "A|\n", "" },
	{ "empty message", "", "", "" },
	{ "no header", "\r\nbody", "", "body" },
	{ "begins with a fold", " x: 1\r\n\r\n", "x| 1\n", "" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf fields = { 0 };
	struct pw_str message = pw_str_from(row->message);
	struct pw_header header;

	while (pw_header_next(&message, &header)) {
		pw_buf_puts(&fields, header.name);
		pw_buf_putc(&fields, '|');
		pw_buf_puts(&fields, header.value);
		pw_buf_putc(&fields, '\n');
	}
	assert_string_equal(pw_buf_text(&fields), row->fields);
	assert_true(pw_str_eq(message, pw_str_from(row->body)));
}

static void unfolding_drops_line_ends_only(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	pw_header_unfold(&out, PW_STR(" a\r\n\tb\n c\rd\r\n"));
	assert_string_equal(pw_buf_text(&out), " a\tb c d ");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		cmocka_unit_test(unfolding_drops_line_ends_only),
	};

	PW_TABLE_TESTS(tests, 1, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
