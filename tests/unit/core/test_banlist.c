#include "../table.h"

#include "core/banlist.h"

static struct row {
	const char *label, *text;
	enum pw_status status;
	const char *again; /* as it is written; or the number of the bad line */
} rows[] = {
	{ "empty", "end 0\n", PW_OK, "end 0\n" },
	{ "sorted", "198.51.100.8 600\n192.0.2.7 5\nend 2\n", PW_OK,
	  "192.0.2.7 5\n198.51.100.8 600\nend 2\n" },
	{ "IPv6 is a /64", "2001:db8:0:1::/64 60\n192.0.2.7 5\nend 2\n", PW_OK,
	  "192.0.2.7 5\n2001:db8:0:1::/64 60\nend 2\n" },
	{ "twice: the longer time", "192.0.2.7 5\n192.0.2.7 9\n192.0.2.7 7\nend 3\n",
	  PW_OK, "192.0.2.7 9\nend 1\n" },
	{ "a year", "192.0.2.7 31622400\nend 1\n", PW_OK, "192.0.2.7 31622400\nend 1\n" },

	{ "nothing", "", PW_ERR_SYNTAX, "0" },
	{ "no end", "192.0.2.7 5\n", PW_ERR_SYNTAX, "2" },
	{ "cut off", "192.0.2.7 5\nend 1", PW_ERR_SYNTAX, "1" },
	{ "cut off in the number", "192.0.2.7 5\n192.0.2.8 5\nend 1\n", PW_ERR_SYNTAX,
	  "3" },
	{ "more behind the end", "end 0\n192.0.2.7 5\n", PW_ERR_SYNTAX, "1" },
	{ "an end without a number", "end \n", PW_ERR_SYNTAX, "1" },
	{ "no seconds", "192.0.2.7\nend 1\n", PW_ERR_SYNTAX, "1" },
	{ "no time", "192.0.2.7 0\nend 1\n", PW_ERR_RANGE, "1" },
	{ "for ever", "192.0.2.7 31622401\nend 1\n", PW_ERR_RANGE, "1" },
	{ "a third word", "192.0.2.7 5 x\nend 1\n", PW_ERR_SYNTAX, "1" },
	{ "two blanks", "192.0.2.7  5\nend 1\n", PW_ERR_SYNTAX, "1" },
	{ "CR", "192.0.2.7 5\r\nend 1\r\n", PW_ERR_SYNTAX, "1" },
	{ "a network", "192.0.2.0/24 5\nend 1\n", PW_ERR_SYNTAX, "1" },
	{ "a length that says nothing", "192.0.2.7/32 5\nend 1\n", PW_ERR_SYNTAX, "1" },
	{ "a wider IPv6 network", "2001:db8::/32 5\nend 1\n", PW_ERR_SYNTAX, "1" },
	{ "one IPv6 address", "2001:db8::1 5\nend 1\n", PW_ERR_SYNTAX, "1" },
	{ "bits behind the /64", "2001:db8::1/64 5\nend 1\n", PW_ERR_SYNTAX, "1" },
	{ "IPv4 in IPv6", "::ffff:192.0.2.7/64 5\nend 1\n", PW_ERR_SYNTAX, "1" },
	{ "a command", "192.0.2.7 5\nflush ruleset\nend 2\n", PW_ERR_SYNTAX, "2" },
};

static void put(struct pw_buf *out, const struct pw_banlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		pw_ban_put(out, &list->at[i]);
	pw_banlist_put_end(out, list->count);
}

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_banlist list;
	size_t line;
	enum pw_status r;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	r = pw_banlist_parse(&list, arena, pw_str_from(row->text), &line);
	assert_int_equal(r, row->status);
	if (r == PW_OK)
		put(&out, &list);
	else
		pw_buf_put_int(&out, (int64_t)line);
	assert_string_equal(pw_buf_text(&out), row->again);
}

static void put_many(struct pw_buf *out, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pw_buf_printf(out, "198.%d.%d.%d 60\n", 18 + (int)(i >> 16),
		              (int)(i >> 8 & 255), (int)(i & 255));
	pw_banlist_put_end(out, count);
}

static void check_many(void **state)
{
	(void)state;
	for (size_t more = 0; more < 2; more++) {
		PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
		struct pw_banlist list;
		size_t line;

		put_many(&text, PW_BANLIST_MAX + more);
		assert_true(text.len <= PW_BANLIST_BYTES_MAX);
		assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
		assert_int_equal(pw_banlist_parse(&list, arena, pw_buf_str(&text), &line),
		                 more == 0 ? PW_OK : PW_ERR_LIMIT);
		if (more == 0)
			assert_int_equal(list.count, PW_BANLIST_MAX);
	}
}

static void check_nets(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_true;
	} pairs[] = {
		{ "192.0.2.7", "192.0.2.0/24", true },
		{ "192.0.2.0/24", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.8", false },
		{ "2001:db8::/64", "2001:db8::5", true },
		{ "2001:db8::/64", "2001:db8:0:1::5", false },
		{ "0.0.0.0/0", "2001:db8::5", false },
	};
	struct pw_net a, b;

	(void)state;
	for (size_t i = 0; i < PW_LEN(pairs); i++) {
		assert_int_equal(pw_net_parse(&a, pw_str_from(pairs[i].a)), PW_OK);
		assert_int_equal(pw_net_parse(&b, pw_str_from(pairs[i].b)), PW_OK);
		assert_int_equal(pw_ban_overlaps(&a, &b), pairs[i].is_true);
	}
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 2] = {
		[PW_LEN(rows)] = cmocka_unit_test(check_many),
		[PW_LEN(rows) + 1] = cmocka_unit_test(check_nets),
	};

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
