#include "../table.h"

#include <string.h>

#include "quota/protocol.h"

struct reply_row {
	const char *label, *line;
	enum pw_status status;
	enum usage_word word;
	struct usage_limits limits;
	int64_t began_us;
};

/* clang-format off */
static struct reply_row reply_rows[] = {
	{ "limits",            "limit\tann\t1048576\t10\t99", PW_OK, USAGE_LIMIT, { 1048576, 10, 99 }, 0 },
	{ "unlimited",         "limit\tann\t0\t0\t0",         PW_OK, USAGE_LIMIT, { 0, 0, 0 }, 0 },
	{ "largest limit",     "limit\tann\t4611686018427387904\t0\t0", PW_OK, USAGE_LIMIT, { USAGE_NUMBER_MAX, 0, 0 }, 0 },
	{ "unknown user",      "unknown\tann",                 PW_OK, USAGE_UNKNOWN, { 0, 0, 0 }, 0 },
	{ "usage arrived",     "told\tann\t77",                PW_OK, USAGE_TOLD, { 0, 0, 0 }, 77 },
	{ "cannot tell",       "fail\tann",                    PW_OK, USAGE_FAIL, { 0, 0, 0 }, 0 },
	{ "empty",             "",                             PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "another word",      "limits\tann\t1\t1\t1",        PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "no user",           "unknown",                      PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "empty user",        "unknown\t",                    PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "limit alone",       "limit\tann",                   PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "a number missing",  "limit\tann\t5\t6",            PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "a number too many", "limit\tann\t5\t6\t7\t8",      PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "numbers of none",   "fail\tann\t5",                PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "negative",          "limit\tann\t-1\t0\t0",        PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "too large",         "limit\tann\t4611686018427387905\t0\t0", PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "not a number",      "told\tann\tmany",             PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "empty number",      "told\tann\t",                 PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
	{ "carriage return",   "fail\tann\r",                 PW_ERR_PROTOCOL, 0, { 0, 0, 0 }, 0 },
};
/* clang-format on */

static void check_reply(void **state)
{
	const struct reply_row *row = *state;
	struct usage_reply reply = { .user = PW_STR("untouched") };

	assert_int_equal(usage_parse_reply(&reply, pw_str_from(row->line)), row->status);
	if (row->status != PW_OK) {
		assert_true(pw_str_eq(reply.user, PW_STR("untouched")));
		return;
	}
	assert_true(pw_str_eq(reply.user, PW_STR("ann")));
	assert_int_equal(reply.word, row->word);
	assert_int_equal(reply.limits.bytes, row->limits.bytes);
	assert_int_equal(reply.limits.messages, row->limits.messages);
	assert_int_equal(reply.limits.grace_bytes, row->limits.grace_bytes);
	assert_int_equal(reply.began_us, row->began_us);
}

struct request_row {
	const char *label;
	struct pw_str user;
	struct usage_count count;
	enum pw_status status;
	const char *line;
};

/* clang-format off */
static struct request_row request_rows[] = {
	{ "plain",   PW_STR("ann@example.test"), { 5, 1, 9 }, PW_OK, "usage\tann@example.test\t5\t1\t9\n" },
	{ "blank",   PW_STR("ann b"),            { 0, 0, 1 }, PW_OK, "usage\tann b\t0\t0\t1\n" },
	{ "no user", PW_STR(""),                 { 5, 1, 9 }, PW_ERR_SYNTAX, "" },
	{ "TAB",     PW_STR("a\tb"),             { 5, 1, 9 }, PW_ERR_SYNTAX, "" },
	{ "LF",      PW_STR("a\nusage\tb"),      { 5, 1, 9 }, PW_ERR_SYNTAX, "" },
	{ "CR",      PW_STR("a\r"),              { 5, 1, 9 }, PW_ERR_SYNTAX, "" },
	{ "NUL",     PW_STR("a\0b"),             { 5, 1, 9 }, PW_ERR_SYNTAX, "" },
};
/* clang-format on */

static void check_request(void **state)
{
	const struct request_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	assert_int_equal(usage_put_usage(&out, row->user, &row->count), row->status);
	assert_string_equal(pw_buf_text(&out), row->line);
}

static void numbers_are_held_within_the_wire(void **state)
{
	(void)state;
	assert_int_equal(usage_clamp(0), 0);
	assert_int_equal(usage_clamp(USAGE_NUMBER_MAX), USAGE_NUMBER_MAX);
	assert_int_equal(usage_clamp(UINT64_MAX), USAGE_NUMBER_MAX);
}

static void a_line_ends_at_its_maximum(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	char user[USAGE_LINE_MAX];
	size_t longest = USAGE_LINE_MAX - strlen("watch\t\n");

	(void)state;
	memset(user, 'u', sizeof(user));
	assert_int_equal(usage_put_watch(&out, (struct pw_str){ user, longest }), PW_OK);
	assert_int_equal(out.len, USAGE_LINE_MAX);
	assert_int_equal(usage_put_leave(&out, (struct pw_str){ user, longest + 1 }),
	                 PW_ERR_LIMIT);
	assert_int_equal(out.len, USAGE_LINE_MAX); /* nothing of the second stays */
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(reply_rows) + PW_LEN(request_rows) + 2] = {
		cmocka_unit_test(a_line_ends_at_its_maximum),
		cmocka_unit_test(numbers_are_held_within_the_wire),
	};

	PW_TABLE_TESTS(tests, 2, reply_rows, check_reply);
	PW_TABLE_TESTS(tests, 2 + PW_LEN(reply_rows), request_rows, check_request);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
