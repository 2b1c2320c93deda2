#include "../table.h"

#include <string.h>

#include "origin/engine/dot_stuff.h"

struct row {
	const char *label, *in, *out;
};

static struct row rows[] = {
	{ "plain", "a\r\nb\r\n", "a\r\nb\r\n.\r\n" },
	{ "empty message", "", ".\r\n" },
	{ "line end missing", "a", "a\r\n.\r\n" },
	{ "dot first", ".a\r\n", "..a\r\n.\r\n" },
	{ "dot alone", ".\r\n", "..\r\n.\r\n" },
	{ "dot later", "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n" },
	{ "dot within", "a.b\r\n", "a.b\r\n.\r\n" },
	{ "two dots", "..\r\n", "...\r\n.\r\n" },
	{ "bare LF", "a\nb\n", "a\r\nb\r\n.\r\n" },
	{ "dot after bare LF", "a\n.\nb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "bare LF first", "\n.", "\r\n..\r\n.\r\n" },
	{ "bare CR is data", "a\rb\r\n", "a\rb\r\n.\r\n" },
	{ "dot after bare CR is data", "a\r.\r\n", "a\r.\r\n.\r\n" },
	{ "CR at the end", "a\r", "a\r\r\n.\r\n" },
	{ "CR CR LF", "a\r\r\n.b", "a\r\r\n..b\r\n.\r\n" },
	{ "empty lines", "\r\n\r\n", "\r\n\r\n.\r\n" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct pw_str in = pw_str_from(row->in);

	for (size_t step = 1; step <= in.len + 1; step++) { /* however it is cut */
		PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
		struct dot_stuff stuff = { 0 };

		for (size_t at = 0; at < in.len; at += step)
			dot_stuff_put(&out, &stuff, pw_str_sub(in, at, step));
		dot_stuff_end(&out, &stuff);
		assert_string_equal(pw_buf_text(&out), row->out);
	}
}

static void nul_is_data(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct dot_stuff stuff = { 0 };

	(void)state;
	dot_stuff_put(&out, &stuff, PW_STR("\r\n\0.\r\n"));
	assert_true(pw_str_eq(pw_buf_str(&out), PW_STR("\r\n\0.\r\n")));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	tests[PW_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(nul_is_data);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
