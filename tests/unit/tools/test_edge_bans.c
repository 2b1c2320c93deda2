/* The list as it is kept, whom it never hits, and what nft is told. */
#include "../table.h"

#include <string.h>

#include "tools/edge/bans.h"

#define HEAD_END "\t}\n}\n"
#define V4 "add element inet postward_bans postward_bans4 {\n"
#define V6 "add element inet postward_bans postward_bans6 {\n"

static struct row {
	const char *label, *text, *never, *wanted;
	int64_t now_s;
} rows[] = {
	{ "nobody", "at 1000\nend 0\n", "", "", 1000 },
	{ "both families",
	  "at 1000\n192.0.2.7 60\n2001:db8:0:1::/64 90\n198.51.100.8 5\nend 3\n", "",
	  V4 "192.0.2.7 timeout 60s,\n198.51.100.8 timeout 5s,\n}\n" V6
	     "2001:db8:0:1:: timeout 90s,\n}\n",
	  1000 },
	{ "time passes", "at 1000\n192.0.2.7 60\n198.51.100.8 5\nend 2\n", "",
	  V4 "192.0.2.7 timeout 20s,\n}\n", 1040 },
	{ "a clock that stepped back", "at 1000\n192.0.2.7 60\nend 1\n", "",
	  V4 "192.0.2.7 timeout 60s,\n}\n", 10 },
	{ "not one of those",
	  "at 1000\n10.9.0.2 60\n127.0.0.1 60\n192.168.1.1 9\nend 3\n", "", "", 1000 },
	{ "allowed by address", "at 1000\n192.0.2.7 60\n192.0.2.8 60\nend 2\n",
	  "# office\n192.0.2.7 # door\n\n", V4 "192.0.2.8 timeout 60s,\n}\n", 1000 },
	{ "allowed by network", "at 1000\n192.0.2.7 60\nend 1\n", "192.0.2.0/24", "",
	  1000 },
	{ "an allowed address in a /64",
	  "at 1000\n2001:db8::/64 60\n2001:db8:0:1::/64 60\nend 2\n", "2001:db8::5\n",
	  V6 "2001:db8:0:1:: timeout 60s,\n}\n", 1000 },
	{ "this host", "at 1000\n203.0.113.1 60\nend 1\n", "", "", 1000 },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_net own;
	const struct bans_never more = { &own, 1 };
	struct bans_never never;
	struct bans_list bans;
	const char *elements;
	size_t line;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_net_parse(&own, PW_STR("203.0.113.1")), PW_OK);
	assert_int_equal(bans_parse(&bans, arena, pw_str_from(row->text), &line), PW_OK);
	assert_int_equal(
		bans_never_parse(&never, arena, pw_str_from(row->never), &more, &line),
		PW_OK);
	(void)bans_put_nft(&out, &bans, &never, row->now_s);
	elements = strstr(pw_buf_text(&out), HEAD_END);
	assert_non_null(elements);
	assert_string_equal(elements + strlen(HEAD_END), row->wanted);
}

static struct bad_row {
	const char *label, *text;
	size_t line;
} bad_rows[] = {
	{ "nothing", "", 1 },
	{ "no date", "192.0.2.7 60\nend 1\n", 1 },
	{ "a bad date", "at then\nend 0\n", 1 },
	{ "a bad line", "at 1000\n192.0.2.7 60\nx 60\nend 2\n", 3 },
	{ "no end", "at 1000\n192.0.2.7 60\n", 3 },
};

static void check_bad_row(void **state)
{
	const struct bad_row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct bans_list bans;
	size_t line;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_not_equal(bans_parse(&bans, arena, pw_str_from(row->text), &line),
	                     PW_OK);
	if (strcmp(row->label, "no end") != 0)
		assert_int_equal(line, row->line);
}

static void check_bad_allow_file(void **state)
{
	const struct bans_never nobody = { NULL, 0 };
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct bans_never never;
	size_t line;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(bans_never_parse(&never, arena,
	                                  PW_STR("192.0.2.7\n192.0.2.7/33\n"), &nobody,
	                                  &line),
	                 PW_ERR_SYNTAX);
	assert_int_equal(line, 2);
}

static void check_kept_form(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	bans_put(&out, 1000, PW_STR("192.0.2.7 60\nend 1\n"));
	assert_string_equal(pw_buf_text(&out), "at 1000\n192.0.2.7 60\nend 1\n");
}

int main(void)
{
	enum { ROWS = PW_LEN(rows), BAD = PW_LEN(bad_rows) };
	struct CMUnitTest tests[ROWS + BAD + 2] = {
		[ROWS + BAD] = cmocka_unit_test(check_bad_allow_file),
		[ROWS + BAD + 1] = cmocka_unit_test(check_kept_form),
	};

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	PW_TABLE_TESTS(tests, ROWS, bad_rows, check_bad_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
