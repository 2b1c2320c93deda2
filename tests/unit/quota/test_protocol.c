#include "../table.h"

#include <string.h>

#include "quota/protocol.h"

struct answer_row {
	const char *label, *line;
	bool to_limit; /* the request was `limit` */
	enum pw_status status;
	enum usage_verdict verdict;
	int64_t bytes, messages;
};

/* clang-format off */
static struct answer_row answer_rows[] = {
	{ "usage taken",           "ok",                   false, PW_OK, USAGE_OK, 7, 7 },
	{ "limit",                 "ok\t1048576\t10",      true,  PW_OK, USAGE_OK, 1048576, 10 },
	{ "unlimited",             "ok\t0\t0",             true,  PW_OK, USAGE_OK, 0, 0 },
	{ "largest limit",         "ok\t4611686018427387904\t0", true, PW_OK, USAGE_OK,
	                           USAGE_NUMBER_MAX, 0 },
	{ "unknown user",          "unknown",              true,  PW_OK, USAGE_UNKNOWN, 7, 7 },
	{ "server cannot tell",    "fail",                 false, PW_OK, USAGE_FAIL, 7, 7 },
	{ "empty",                 "",                     false, PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "another word",          "okay",                 false, PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "limit without numbers", "ok",                   true,  PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "limit with one number", "ok\t5",                true,  PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "one number too many",   "ok\t5\t6\t7",          true,  PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "numbers after usage",   "ok\t5\t6",             false, PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "negative",              "ok\t-1\t0",            true,  PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "too large",             "ok\t4611686018427387905\t0", true, PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "not a number",          "ok\tmany\t0",          true,  PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "empty number",          "ok\t\t0",              true,  PW_ERR_PROTOCOL, 0, 7, 7 },
	{ "carriage return",       "ok\r",                 false, PW_ERR_PROTOCOL, 0, 7, 7 },
};
/* clang-format on */

static void check_answer(void **state)
{
	const struct answer_row *row = *state;
	struct usage_numbers limit = { 7, 7 }; /* untouched unless a limit was told */
	enum usage_verdict verdict = USAGE_OK;

	assert_int_equal(usage_parse_answer(pw_str_from(row->line), &verdict,
	                                    row->to_limit ? &limit : NULL),
	                 row->status);
	assert_int_equal(verdict, row->verdict);
	assert_int_equal(limit.bytes, row->bytes);
	assert_int_equal(limit.messages, row->messages);
}

struct request_row {
	const char *label;
	struct pw_str user;
	uint64_t bytes, messages;
	enum pw_status status;
	const char *line;
};

/* clang-format off */
static struct request_row request_rows[] = {
	{ "plain",     PW_STR("ann@example.test"), 5, 1, PW_OK, "usage\tann@example.test\t5\t1\n" },
	{ "blank",     PW_STR("ann b"),            0, 0, PW_OK, "usage\tann b\t0\t0\n" },
	{ "clamped",   PW_STR("a"), UINT64_MAX, UINT64_MAX, PW_OK,
	               "usage\ta\t4611686018427387904\t4611686018427387904\n" },
	{ "no user",   PW_STR(""),                 5, 1, PW_ERR_SYNTAX, "" },
	{ "TAB",       PW_STR("a\tb"),             5, 1, PW_ERR_SYNTAX, "" },
	{ "LF",        PW_STR("a\nusage\tb"),      5, 1, PW_ERR_SYNTAX, "" },
	{ "CR",        PW_STR("a\r"),              5, 1, PW_ERR_SYNTAX, "" },
	{ "NUL",       PW_STR("a\0b"),             5, 1, PW_ERR_SYNTAX, "" },
};
/* clang-format on */

static void check_request(void **state)
{
	const struct request_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	assert_int_equal(usage_put_usage(&out, row->user, row->bytes, row->messages),
	                 row->status);
	assert_string_equal(pw_buf_text(&out), row->line);
}

static void a_line_ends_at_its_maximum(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	char user[USAGE_LINE_MAX];
	size_t longest = USAGE_LINE_MAX - strlen("limit\t\n");

	(void)state;
	memset(user, 'u', sizeof(user));
	assert_int_equal(usage_put_limit(&out, (struct pw_str){ user, longest }), PW_OK);
	assert_int_equal(out.len, USAGE_LINE_MAX);
	assert_int_equal(usage_put_limit(&out, (struct pw_str){ user, longest + 1 }),
	                 PW_ERR_LIMIT);
	assert_int_equal(out.len, USAGE_LINE_MAX); /* nothing of the second stays */
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(answer_rows) + PW_LEN(request_rows) + 1] = {
		cmocka_unit_test(a_line_ends_at_its_maximum),
	};

	PW_TABLE_TESTS(tests, 1, answer_rows, check_answer);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(answer_rows), request_rows, check_request);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
