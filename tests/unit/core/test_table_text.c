#include "../table.h"

#include "core/buf.h"
#include "core/table_text.h"

struct row {
	const char *label, *text;
	enum pw_status status; /* of what ends the reading */
	const char *want;      /* line:<field>... of the header and each row; - is NULL */
};

static struct row rows[] = {
	{ "CSV", "a,b\n1,2\n", PW_ERR_NOTFOUND, "1<a><b> 2<1><2> " },
	{ "no line end at the end", "a,b\n1,2", PW_ERR_NOTFOUND, "1<a><b> 2<1><2> " },
	{ "CRLF", "a,b\r\n1,2\r\n", PW_ERR_NOTFOUND, "1<a><b> 2<1><2> " },
	{ "CR at the end of the file", "a,b\r\n1,2\r", PW_ERR_NOTFOUND,
	  "1<a><b> 2<1><2> " },
	{ "byte order mark",
	  "\xef\xbb\xbf"
	  "a\n1\n",
	  PW_ERR_NOTFOUND, "1<a> 2<1> " },
	{ "quoted", "a,b\n\"x,\"\"y\"\"\",\"\"\n", PW_ERR_NOTFOUND,
	  "1<a><b> 2<x,\"y\"><> " },
	{ "nothing is NULL", "a,b\n,\n", PW_ERR_NOTFOUND, "1<a><b> 2-- " },
	{ "line end inside quotes", "a,b\n\"x\r\ny\",2\n3,4\n", PW_ERR_NOTFOUND,
	  "1<a><b> 2<x\r\ny><2> 4<3><4> " },
	{ "blank lines", "\n\na,b\n\n1,2\n\n\n3,4\n", PW_ERR_NOTFOUND,
	  "3<a><b> 5<1><2> 8<3><4> " },
	{ "blanks stay", "a, b\n 1 ,2\n", PW_ERR_NOTFOUND, "1<a>< b> 2< 1 ><2> " },
	{ "a CR inside stays", "a,b\n1\r1,2\n", PW_ERR_NOTFOUND, "1<a><b> 2<1\r1><2> " },
	{ "TSV", "a\tb\n1\t2\n", PW_ERR_NOTFOUND, "1<a><b> 2<1><2> " },
	{ "TSV keeps quotes and commas", "a\tb\n\"1,\t2\"\n", PW_ERR_NOTFOUND,
	  "1<a><b> 2<\"1,><2\"> " },
	{ "TSV escapes", "a\tb\nx\\ty\\nz\tq\\\\\n", PW_ERR_NOTFOUND,
	  "1<a><b> 2<x\ty\nz><q\\> " },
	{ "TSV NULL", "a\tb\nNULL\t\\N\n", PW_ERR_NOTFOUND, "1<a><b> 2-- " },
	{ "TSV empty is no NULL", "a\tb\n\t\n", PW_ERR_NOTFOUND, "1<a><b> 2<><> " },
	{ "TSV lone backslash", "a\tb\n1\t2\\\n", PW_ERR_NOTFOUND, "1<a><b> 2<1><2\\> " },
	{ "empty", "", PW_ERR_SYNTAX, "" },
	{ "blank lines only", "\r\n\n", PW_ERR_SYNTAX, "" },
	{ "fewer fields", "a,b\n1\n", PW_ERR_SYNTAX, "1<a><b> " },
	{ "more fields", "a,b\n1,2,3\n", PW_ERR_SYNTAX, "1<a><b> " },
	{ "open quote", "a,b\n1,\"2\n", PW_ERR_SYNTAX, "1<a><b> " },
	{ "text behind a quote", "a,b\n\"1\"x,2\n", PW_ERR_SYNTAX, "1<a><b> " },
	{ "quote inside", "a,b\n1\"1\",2\n", PW_ERR_SYNTAX, "1<a><b> " },
	{ "TSV zero byte", "a\tb\n1\t\\0\n", PW_ERR_SYNTAX, "1<a><b> " },
	{ "a column twice", "a,b,A\n", PW_ERR_SYNTAX, "" },
	{ "a column without a name", "a,,b\n", PW_ERR_SYNTAX, "" },
};

static void put_row(struct pw_buf *out, const struct pw_table_row *row)
{
	pw_buf_put_int(out, row->line);
	for (size_t i = 0; i < row->count; i++) {
		if (row->fields[i].at)
			pw_buf_printf(out, "<%.*s>", PW_FMT(row->fields[i]));
		else
			pw_buf_putc(out, '-');
	}
	pw_buf_putc(out, ' ');
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_table table;
	struct pw_table_row one;
	enum pw_status r;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	r = pw_table_open(&table, arena, pw_str_from(row->text));
	if (r == PW_OK)
		put_row(&got, &table.head);
	while (r == PW_OK && (r = pw_table_next(&table, arena, &one)) == PW_OK)
		put_row(&got, &one);
	assert_int_equal(r, row->status);
	assert_string_equal(pw_buf_text(&got), row->want);
	if (r == PW_ERR_SYNTAX)
		assert_string_not_equal(pw_table_why(&table), "");
}

static void the_faulty_line_is_known(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_table table;
	struct pw_table_row row;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_table_open(&table, arena, PW_STR("a,b\n\"x\ny\",1\n\n7\n")),
	                 PW_OK);
	assert_int_equal(pw_table_next(&table, arena, &row), PW_OK);
	assert_int_equal(pw_table_next(&table, arena, &row), PW_ERR_SYNTAX);
	assert_int_equal(table.line, 5);
}

static void zero_bytes_are_refused(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_table table;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_table_open(&table, arena, PW_STR("a,b\n1,\0\n")),
	                 PW_ERR_SYNTAX);
}

static void limits_hold(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_table table;
	struct pw_table_row row;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	pw_buf_puts(&text, PW_STR("a\n"));
	for (int i = 0; i <= PW_TABLE_FIELD_MAX; i++)
		pw_buf_putc(&text, 'x');
	assert_int_equal(pw_table_open(&table, arena, pw_buf_str(&text)), PW_OK);
	assert_int_equal(pw_table_next(&table, arena, &row), PW_ERR_LIMIT);
	pw_buf_reset(&text);
	for (int i = 0; i <= PW_TABLE_COLUMNS_MAX; i++)
		pw_buf_printf(&text, "%sc%d", i > 0 ? "," : "", i);
	assert_int_equal(pw_table_open(&table, arena, pw_buf_str(&text)), PW_ERR_LIMIT);
}

static void columns_are_found_by_name(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_table table;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_table_open(&table, arena, PW_STR("username,Password\n")),
	                 PW_OK);
	assert_int_equal(pw_table_column(&table, PW_STR("password")), 1);
	assert_int_equal(pw_table_column(&table, PW_STR("quota")), 2);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 4] = {
		cmocka_unit_test(the_faulty_line_is_known),
		cmocka_unit_test(zero_bytes_are_refused),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(columns_are_found_by_name),
	};

	PW_TABLE_TESTS(tests, 4, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
