#include "../table.h"

#include <string.h>

#include "origin/queue/header_filter.h"

struct row {
	const char *label, *input, *top, *trace, *rest;
	const char *body; /* NULL = the message ends within its header */
	size_t dropped;
};

/* clang-format off */
static struct row rows[] = {
	{ "nothing of ours", "A: 1\r\nB: 2\r\n\r\nPostward-X: body\r\n", "", "", "A: 1\r\nB: 2\r\n", "Postward-X: body\r\n", 0 },
	{ "on top", "Postward-Origin: v=1;\r\n\tx\r\nPostward-T: y\r\nA: 1\r\n\r\nb\r\n",
	  "Postward-Origin: v=1;\r\n\tx\r\nPostward-T: y\r\n", "", "A: 1\r\n", "b\r\n", 0 },
	{ "the edge's trace", "Received: from a\r\n\tby b\r\nReceived: from c\r\nA: 1\r\n\r\n",
	  "", "Received: from a\r\n\tby b\r\n", "Received: from c\r\nA: 1\r\n", "", 0 },
	{ "both", "Postward-Origin: v\r\nRECEIVED: a\r\nPostward-X: y\r\nA: 1\r\n\r\n",
	  "Postward-Origin: v\r\n", "RECEIVED: a\r\n", "A: 1\r\n", "", 1 },
	{ "no trace", "Received-SPF: x\r\n\r\n", "", "", "Received-SPF: x\r\n", "", 0 },
	{ "out of place", "A: 1\r\nPostward-Origin: v=1;\r\n x\r\nB: 2\r\n c\r\n\r\n", "", "", "A: 1\r\nB: 2\r\n c\r\n", "", 1 },
	{ "in any case", "A: 1\r\npOSTWARD-Retry : yes\r\n\r\n", "", "", "A: 1\r\n", "", 1 },
	{ "behind a bare LF, which goes on as a line end", "A: 1\nPostward-X: y\nB: 2\n\nPostward-Z\n",
	  "", "", "A: 1\nB: 2\n", "Postward-Z\n", 1 },
	{ "behind a bare CR, which does not", "A: 1\rPostward-X: y\r\n\r\n", "", "", "A: 1\rPostward-X: y\r\n", "", 0 },
	{ "names that only begin alike", "Postwar: 1\r\nPostward: 2\r\n\r\n", "", "", "Postwar: 1\r\nPostward: 2\r\n", "", 0 },
	{ "a value like a name", "A: Postward-X: y\r\n Postward-Z: b\r\n\r\n", "", "", "A: Postward-X: y\r\n Postward-Z: b\r\n", "", 0 },
	{ "no header", "\r\nPostward-X: y\r\n", "", "", "", "Postward-X: y\r\n", 0 },
	{ "a blank first", " x\r\nPostward-X: y\r\n\r\n", "", "", " x\r\n", "", 1 },
	{ "a line that is no field", "A: 1\r\nhello\r\nPostward-X: y\r\n\r\n", "", "", "A: 1\r\nhello\r\n", "", 1 },
	{ "CR CR LF ends no header", "A: 1\r\n\r\r\nPostward-X: y\r\n\r\n", "", "", "A: 1\r\n\r\r\n", "", 1 },
	{ "ends within a name", "A: 1\r\nPostw", "", "", "A: 1\r\nPostw", NULL, 0 },
	{ "ends within a line end", "A: 1\r\n\r", "", "", "A: 1\r\n\r", NULL, 0 },
	{ "top alone", "Postward-Origin: v=1;\r\n", "Postward-Origin: v=1;\r\n", "", "", NULL, 0 },
	{ "empty", "", "", "", "", NULL, 0 },
};
/* clang-format on */

static void check_step(const struct row *row, size_t step)
{
	PW_AUTO(pw_buf_done) struct pw_buf top = { 0 }, trace = { 0 }, rest = { 0 };
	const struct header_parts parts = { &top, &trace, &rest };
	struct pw_str input = pw_str_from(row->input);
	struct header_filter filter = { 0 };
	size_t at = 0;

	while (at < input.len && filter.state != HEADER_OVER)
		at += header_filter_put(&filter, pw_str_sub(input, at, step), &parts);
	assert_int_equal(filter.state == HEADER_OVER, row->body != NULL);
	if (row->body)
		assert_string_equal(row->input + at, row->body);
	else
		header_filter_end(&filter, &parts);
	assert_string_equal(pw_buf_text(&top), row->top);
	assert_string_equal(pw_buf_text(&trace), row->trace);
	assert_string_equal(pw_buf_text(&rest), row->rest);
	assert_int_equal(filter.dropped, row->dropped);
	assert_true(filter.has_top);
}

static void check_row(void **state)
{
	const struct row *row = *state;

	for (size_t step = 1; step <= strlen(row->input) + 1; step++)
		check_step(row, step);
}

/* The top is known before the first byte of anything else goes on. */
static void test_top_comes_first(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf top = { 0 }, trace = { 0 }, rest = { 0 };
	const struct header_parts parts = { &top, &trace, &rest };
	struct header_filter filter = { 0 };

	(void)state;
	header_filter_put(&filter, PW_STR("Postward-Origin: x\r\n y\r\nPos"), &parts);
	assert_false(filter.has_top);
	assert_int_equal(rest.len, 0);
	header_filter_put(&filter, PW_STR("t: 1\r\n"), &parts);
	assert_true(filter.has_top);
	assert_string_equal(pw_buf_text(&rest), "Post: 1\r\n");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = { cmocka_unit_test(
		test_top_comes_first) };

	PW_TABLE_TESTS(tests, 1, rows, check_row);
	return cmocka_run_group_tests_name("header_filter", tests, NULL, NULL);
}
