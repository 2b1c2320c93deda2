#include "../table.h"

#include <string.h>

#include "core/canon.h"

struct header_row {
	const char *label, *name, *value, *want;
};

static struct header_row header_rows[] = {
	/* RFC 6376 3.4.5 */
	{ "RFC example A", "A", " X", "a:X\r\n" },
	{ "RFC example B", "B ", " Y\t\r\n\tZ  ", "b:Y Z\r\n" },
	{ "no value", "Subject", "", "subject:\r\n" },
	{ "only blanks", "Subject", " \t ", "subject:\r\n" },
	{ "lowers the name only", "SUBJect", " Hi", "subject:Hi\r\n" },
	{ "squeezes blanks", "To", " a@b, \t c", "to:a@b, c\r\n" },
	{ "fold with LF, as a milter gets it", "To", " a,\n\tb", "to:a, b\r\n" },
	{ "fold at once", "To", "\n a", "to:a\r\n" },
	{ "fold of blanks only", "To", " a\r\n \r\n b", "to:a b\r\n" },
	{ "fold at the end", "To", " a\r\n ", "to:a\r\n" },
	{ "a stray CR is content", "To", " a\rb \r c", "to:a\rb \r c\r\n" },
	{ "a line end without blank is content", "To", " a\nb", "to:a\nb\r\n" },
	{ "8-bit", "Subject", "  Gr\xc3\xbc\xc3\x9f  e",
	  "subject:Gr\xc3\xbc\xc3\x9f e\r\n" },
};

static void check_header(void **state)
{
	const struct header_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	pw_canon_header_relaxed(&out, pw_str_from(row->name), pw_str_from(row->value));
	assert_int_equal(pw_buf_status(&out), PW_OK);
	assert_string_equal(pw_buf_text(&out), row->want);
}

static struct header_row simple_rows[] = {
	{ "leading blank kept", "Subject", " hi", "Subject: hi\r\n" },
	{ "none added", "Subject", "hi", "Subject:hi\r\n" },
	{ "folds become CRLF", "To", " a,\n\tb", "To: a,\r\n\tb\r\n" },
	{ "CRLF stays", "To", " a,\r\n\tb", "To: a,\r\n\tb\r\n" },
	{ "empty", "X", "", "X:\r\n" },
	{ "CR CR LF", "X", "a\r\r\n b", "X:a\r\r\n b\r\n" },
	{ "name as it is", "sUBJECT ", "", "sUBJECT :\r\n" },
};

static void check_simple(void **state)
{
	const struct header_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	pw_canon_header_simple(&out, pw_str_from(row->name), pw_str_from(row->value));
	assert_string_equal(pw_buf_text(&out), row->want);
}

struct body_row {
	const char *label, *body, *want;
};

static struct body_row body_rows[] = {
	{ "RFC example", " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n" },
	{ "empty", "", "" },
	{ "only line ends", "\r\n\r\n\r\n", "" },
	{ "only blanks", " \t\r\n  ", "" },
	{ "no final line end", "a", "a\r\n" },
	{ "blanks and no final line end", "a  \t", "a\r\n" },
	{ "blanks before the text stay one", "\t\ta\r\n", " a\r\n" },
	{ "empty lines inside stay", "a\r\n\r\n \r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
	{ "a CR alone is content", "a\rb\r\n\r", "a\rb\r\n\r\r\n" },
	{ "CR CR LF", "a\r\r\n", "a\r\r\n" },
	{ "a LF alone is content", "a\nb\r\n", "a\nb\r\n" },
	{ "8-bit", "\xff\xfe \x80\r\n", "\xff\xfe \x80\r\n" },
};

static struct body_row simple_body_rows[] = {
	{ "RFC example", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n" },
	{ "empty", "", "\r\n" },
	{ "only line ends", "\r\n\r\n\r\n", "\r\n" },
	{ "only blanks", " \t\r\n  ", " \t\r\n  \r\n" },
	{ "no final line end", "a", "a\r\n" },
	{ "empty lines inside stay", "a\r\n\r\n \r\nb\r\n\r\n", "a\r\n\r\n \r\nb\r\n" },
	{ "a CR alone is content", "a\rb\r\n\r", "a\rb\r\n\r\r\n" },
};

static void collect(void *context, struct pw_str bytes)
{
	pw_buf_puts(context, bytes);
}

/* Every way to cut the body in chunks of equal size gives the same. */
static void check_body(void **state)
{
	const struct body_row *row = *state;
	size_t len = strlen(row->body);

	for (size_t step = 1; step <= len + 1; step++) {
		PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
		struct pw_canon_body body;

		pw_canon_body_init(&body, collect, &out);
		for (size_t at = 0; at < len; at += step)
			pw_canon_body_relaxed(
				&body, pw_str_sub(pw_str_from(row->body), at, step));
		pw_canon_body_end(&body);
		assert_string_equal(pw_buf_text(&out), row->want);
	}
}

static void check_simple_body(void **state)
{
	const struct body_row *row = *state;
	size_t len = strlen(row->body);

	for (size_t step = 1; step <= len + 1; step++) {
		PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
		struct pw_canon_body body;

		pw_canon_body_init(&body, collect, &out);
		for (size_t at = 0; at < len; at += step)
			pw_canon_body_simple(
				&body, pw_str_sub(pw_str_from(row->body), at, step));
		pw_canon_body_simple_end(&body);
		assert_string_equal(pw_buf_text(&out), row->want);
	}
}

static void a_body_of_many_line_ends_needs_no_memory(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_canon_body body;

	(void)state;
	pw_canon_body_init(&body, collect, &out);
	for (size_t i = 0; i < 100000; i++)
		pw_canon_body_relaxed(&body, PW_STR("\r\n"));
	assert_int_equal(out.len, 0);
	pw_canon_body_relaxed(&body, PW_STR("x"));
	pw_canon_body_end(&body);
	assert_int_equal(out.len, 200003);
}

struct line_row {
	const char *label, *body;
	size_t line_max;
	bool has_stray;
};

static struct line_row line_rows[] = {
	{ "no line", "", 0, false },
	{ "line end does not count", "abc\r\nde\r\n", 3, false },
	{ "blanks count", "a  \r\n", 3, false },
	{ "a CR alone counts", "a\rb\r\n", 3, true },
	{ "a LF alone counts", "a\nb\r\n", 3, true },
	{ "CR CR LF", "a\r\r\n", 2, true },
	{ "LF CR", "a\n\r", 3, true },
	{ "empty lines", "\r\n\r\n", 0, false },
	{ "the last line counts", "a\r\nabcd", 4, false },
	{ "a CR at the very end counts", "ab\r", 3, true },
};

static void check_line(void **state)
{
	const struct line_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_canon_body body;

	pw_canon_body_init(&body, collect, &out);
	pw_canon_body_relaxed(&body, pw_str_from(row->body));
	pw_canon_body_end(&body);
	assert_int_equal(body.line_max, row->line_max);
	assert_int_equal(body.has_stray, row->has_stray);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(header_rows) + PW_LEN(simple_rows) +
	                        PW_LEN(body_rows) + PW_LEN(simple_body_rows) +
	                        PW_LEN(line_rows) + 1] = {
		cmocka_unit_test(a_body_of_many_line_ends_needs_no_memory),
	};
	size_t n = 1;

	PW_TABLE_TESTS(tests, n, header_rows, check_header);
	n += PW_LEN(header_rows);
	PW_TABLE_TESTS(tests, n, simple_rows, check_simple);
	n += PW_LEN(simple_rows);
	PW_TABLE_TESTS(tests, n, body_rows, check_body);
	n += PW_LEN(body_rows);
	PW_TABLE_TESTS(tests, n, simple_body_rows, check_simple_body);
	n += PW_LEN(simple_body_rows);
	PW_TABLE_TESTS(tests, n, line_rows, check_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
