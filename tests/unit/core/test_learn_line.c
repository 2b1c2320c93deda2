#include "../table.h"

#include <string.h>

#include "core/learn_line.h"

struct put_row {
	const char *label;
	enum pw_learn_verdict verdict;
	struct pw_str user;
	size_t size;
	enum pw_status status;
	const char *line;
};

/* clang-format off */
static struct put_row put_rows[] = {
	{ "put spam",     PW_LEARN_SPAM, PW_STR("ann@example.test"), 5, PW_OK, "spam\tann@example.test\t5\n" },
	{ "put ham",      PW_LEARN_HAM,  PW_STR("a b"), PW_LEARN_SIZE_MAX, PW_OK, "ham\ta b\t1048576\n" },
	{ "put nobody",   PW_LEARN_HAM,  PW_STR(""),     5, PW_ERR_SYNTAX, "" },
	{ "put a TAB",    PW_LEARN_HAM,  PW_STR("a\tb"), 5, PW_ERR_SYNTAX, "" },
	{ "put a LF",     PW_LEARN_HAM,  PW_STR("a\n"),  5, PW_ERR_SYNTAX, "" },
	{ "put a CR",     PW_LEARN_HAM,  PW_STR("\ra"),  5, PW_ERR_SYNTAX, "" },
	{ "put a NUL",    PW_LEARN_HAM,  PW_STR("a\0b"), 5, PW_ERR_SYNTAX, "" },
	{ "put nothing",  PW_LEARN_HAM,  PW_STR("a"),    0, PW_ERR_RANGE, "" },
	{ "put too much", PW_LEARN_HAM,  PW_STR("a"), PW_LEARN_SIZE_MAX + 1, PW_ERR_RANGE, "" },
};
/* clang-format on */

static void check_put(void **state)
{
	const struct put_row *row = *state;
	const struct pw_learn_line line = { row->verdict, row->user, row->size };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	assert_int_equal(pw_learn_line_put(&out, &line), row->status);
	assert_string_equal(pw_buf_text(&out), row->line);
}

struct parse_row {
	const char *label, *text;
	enum pw_status status;
	enum pw_learn_verdict verdict;
	const char *user;
	size_t size;
};

/* clang-format off */
static struct parse_row parse_rows[] = {
	{ "spam",           "spam\tann@example.test\t5",   PW_OK, PW_LEARN_SPAM, "ann@example.test", 5 },
	{ "ham",            "ham\ta b\t1048576",           PW_OK, PW_LEARN_HAM, "a b", PW_LEARN_SIZE_MAX },
	{ "one byte",       "ham\ta\t1",                   PW_OK, PW_LEARN_HAM, "a", 1 },
	{ "empty",          "",                            PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "greeting again", "postward-learn\t1",           PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "another word",   "spams\ta\t5",                 PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "capitals",       "SPAM\ta\t5",                  PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "only a word",    "spam",                        PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "no user",        "spam\t\t5",                   PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "no size",        "spam\ta",                     PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "empty size",     "spam\ta\t",                   PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "size 0",         "spam\ta\t0",                  PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "negative",       "spam\ta\t-1",                 PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "too large",      "spam\ta\t1048577",            PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "beyond int64",   "spam\ta\t99999999999999999999", PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "not a number",   "spam\ta\t5k",                 PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "a field more",   "spam\ta\t5\t6",               PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "CR at the end",  "spam\ta\t5\r",                PW_ERR_PROTOCOL, 0, "-", 7 },
	{ "CR in the user", "spam\ta\r\t5",                PW_ERR_PROTOCOL, 0, "-", 7 },
};
/* clang-format on */

static void check_parse(void **state)
{
	const struct parse_row *row = *state;
	struct pw_learn_line line = { PW_LEARN_SPAM, PW_STR("-"),
		                      7 }; /* kept on failure */

	assert_int_equal(pw_learn_line_parse(&line, pw_str_from(row->text)), row->status);
	assert_int_equal(line.verdict, row->verdict);
	assert_true(pw_str_eq(line.user, pw_str_from(row->user)));
	assert_int_equal(line.size, row->size);
}

static void a_line_ends_at_its_maximum(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	char user[PW_LEARN_LINE_MAX];
	struct pw_learn_line line = { PW_LEARN_HAM, { user, 0 }, 5 }, back;

	(void)state;
	memset(user, 'u', sizeof(user));
	line.user.len = PW_LEARN_LINE_MAX - strlen("ham\t\t5\n");
	assert_int_equal(pw_learn_line_put(&out, &line), PW_OK);
	assert_int_equal(out.len, PW_LEARN_LINE_MAX);
	assert_int_equal(
		pw_learn_line_parse(&back, pw_str_sub(pw_buf_str(&out), 0, out.len - 1)),
		PW_OK);
	assert_int_equal(pw_learn_line_parse(&back, (struct pw_str){ out.at, out.len }),
	                 PW_ERR_PROTOCOL);
	line.user.len++;
	assert_int_equal(pw_learn_line_put(&out, &line), PW_ERR_LIMIT);
	assert_int_equal(out.len, PW_LEARN_LINE_MAX); /* nothing of the second stays */
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(put_rows) + PW_LEN(parse_rows) + 1] = {
		cmocka_unit_test(a_line_ends_at_its_maximum),
	};

	PW_TABLE_TESTS(tests, 1, put_rows, check_put);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(put_rows), parse_rows, check_parse);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
