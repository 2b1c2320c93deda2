#include "../table.h"

#include <string.h>

#include "core/conf.h"

struct row {
	const char *label, *text;
	size_t len;        /* 0 = strlen */
	const char *pairs; /* "line:name=[value];" or "line! why" at the end */
};

/* clang-format off */
static struct row rows[] = {
	{ "nothing",                   "",                            0, "" },
	{ "one pair",                  "a = b\n",                     0, "1:a=[b];" },
	{ "last line without end",     "a=1\nb=2",                    0, "1:a=[1];2:b=[2];" },
	{ "CRLF",                      "a = 1\r\nb = 2\r\n",          0, "1:a=[1];2:b=[2];" },
	{ "CR at the very end",        "a = 1\r",                     0, "1:a=[1];" },
	{ "comments and empty lines",  "\n# x = y\n  # z\n \na = 1\n",   0, "5:a=[1];" },
	{ "# inside a value",          "a = 1 # 2\n",                 0, "1:a=[1 # 2];" },
	{ "= inside a value",          "a = host=x port=5\n",         0, "1:a=[host=x port=5];" },
	{ "empty value",               "a =\nb = \t\n",               0, "1:a=[];2:b=[];" },
	{ "continuation",              "a = 1\n  2\n\t3\nb = 4\n",    0, "1:a=[1  2\t3];4:b=[4];" },
	{ "continuation after comment", "a = 1\n# c\n\n 2\n",         0, "1:a=[1 2];" },
	{ "value on the second line",  "a =\n  x\n",                  0, "1:a=[x];" },
	{ "bytes beyond ASCII",        "a = \xc3\xa9\xff\n",          0, "1:a=[\xc3\xa9\xff];" },
	{ "no =",                      "a = 1\nhello\n",              0, "1:a=[1];2! missing '='" },
	{ "no name",                   " = 1\n",                      0, "1! a line that begins with a blank continues nothing" },
	{ "empty name",                "= 1\n",                       0, "1! missing name before '='" },
	{ "blank in a name",           "a b = 1\n",                   0, "1! a name has letters, digits and '_' only" },
	{ "continuation of nothing",   "# x\n y\n",                   0, "2! a line that begins with a blank continues nothing" },
	{ "NUL",                       "a = 1\0\n",                   7, "1! control character" },
	{ "NUL in a comment",          "a = 1\n#\0\n",                9, "2! control character" },
	{ "NUL in a continuation",     "a = 1\n \0\n",                9, "2! control character" },
	{ "CR inside a line",          "a = 1\r2\n",                  0, "1! control character" },
	{ "byte order mark",           "\xef\xbb\xbf" "a = 1\n",      0, "1! a name has letters, digits and '_' only" },
	{ "UTF-16",                    "\xff\xfe" "a\0=\0",           6, "1! control character" },
};
/* clang-format on */

static void read_all(struct pw_buf *out, struct pw_str text)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_conf_pair pair;
	struct pw_conf conf;
	enum pw_status r;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	pw_conf_init(&conf, text);
	while ((r = pw_conf_next(&conf, arena, &pair)) == PW_OK)
		pw_buf_printf(out, "%u:%.*s=[%.*s];", conf.line, PW_FMT(pair.name),
		              PW_FMT(pair.value));
	if (r != PW_ERR_NOTFOUND)
		pw_buf_printf(out, "%u! %s", conf.line, pw_conf_why(&conf));
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	read_all(&out,
	         (struct pw_str){ row->text, row->len ? row->len : strlen(row->text) });
	assert_string_equal(pw_buf_text(&out), row->pairs);
}

static void a_value_has_an_end(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	pw_buf_puts(&text, PW_STR("a = "));
	for (int i = 0; i < PW_CONF_VALUE_MAX; i++)
		pw_buf_putc(&text, 'x');
	read_all(&out, pw_buf_str(&text));
	assert_string_equal(pw_buf_text(&out), "1! value too long");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = { cmocka_unit_test(
		a_value_has_an_end) };

	PW_TABLE_TESTS(tests, 1, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
