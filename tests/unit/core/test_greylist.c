#include "../table.h"

#include "core/greylist.h"

#define S INT64_C(1000)
static const struct pw_greylist_rule rule = { 300 * S, 86400 * S, 864000 * S, 2 };

/* clang-format off */
static struct judge_row {
	const char *label;
	struct pw_greylist_record triplet, client;
	int64_t now_s, wait_s;
	struct pw_greylist_record triplet_after, client_after;
} judge_rows[] = {
	/* label, triplet (first, passed, passes), client, now, wait, both after */
	{ "new waits", { 0, 0, 0 }, { 0, 0, 0 }, 1000, 300, { 1000 * S, 0, 0 }, { 0, 0, 0 } },
	{ "too early waits the rest", { 1000 * S, 0, 0 }, { 0, 0, 0 }, 1299, 1, { 1000 * S, 0, 0 }, { 0, 0, 0 } },
	{ "in time passes", { 1000 * S, 0, 0 }, { 0, 0, 0 }, 1300, 0, { 1000 * S, 1300 * S, 0 }, { 1300 * S, 1300 * S, 1 } },
	{ "at the end of the window", { 1000 * S, 0, 0 }, { 0, 0, 0 }, 87400, 0, { 1000 * S, 87400 * S, 0 }, { 87400 * S, 87400 * S, 1 } },
	{ "too late waits anew", { 1000 * S, 0, 0 }, { 0, 0, 0 }, 87401, 300, { 87401 * S, 0, 0 }, { 0, 0, 0 } },
	{ "known passes", { 1 * S, 500 * S, 0 }, { 1 * S, 500 * S, 1 }, 600, 0, { 1 * S, 600 * S, 0 }, { 1 * S, 600 * S, 1 } },
	{ "known for long enough is forgotten", { 1 * S, 500 * S, 0 }, { 0, 0, 0 }, 864501, 300, { 864501 * S, 0, 0 }, { 0, 0, 0 } },
	{ "a client that waits no more", { 0, 0, 0 }, { 1 * S, 500 * S, 2 }, 600, 0, { 0, 0, 0 }, { 1 * S, 600 * S, 2 } },
	{ "a client forgotten", { 0, 0, 0 }, { 1 * S, 500 * S, 2 }, 864501, 300, { 864501 * S, 0, 0 }, { 1 * S, 500 * S, 2 } },
	{ "a client counts from new", { 864000 * S, 0, 0 }, { 1 * S, 500 * S, 1 }, 864501, 0, { 864000 * S, 864501 * S, 0 }, { 864501 * S, 864501 * S, 1 } },
	{ "a clock that stepped back", { 9000 * S, 0, 0 }, { 0, 0, 0 }, 1000, 300, { 1000 * S, 0, 0 }, { 0, 0, 0 } },
	{ "a pass in the future stays", { 1 * S, 9000 * S, 0 }, { 0, 0, 0 }, 1000, 0, { 1 * S, 9000 * S, 0 }, { 0, 0, 0 } },
};
/* clang-format on */

static void same(const struct pw_greylist_record *a, const struct pw_greylist_record *b)
{
	assert_int_equal(a->first_ms, b->first_ms);
	assert_int_equal(a->passed_ms, b->passed_ms);
	assert_int_equal(a->passes, b->passes);
}

static void check_judge(void **state)
{
	struct judge_row row = *(const struct judge_row *)*state;

	assert_int_equal(
		pw_greylist_judge(&row.triplet, &row.client, &rule, row.now_s * S),
		row.wait_s * S);
	same(&row.triplet, &row.triplet_after);
	same(&row.client, &row.client_after);
}

/* clang-format off */
static struct merge_row {
	const char *label;
	struct pw_greylist_record here, there, after;
} merge_rows[] = {
	{ "nothing here", { 0, 0, 0 }, { 5 * S, 7 * S, 2 }, { 5 * S, 7 * S, 2 } },
	{ "nothing there", { 5 * S, 7 * S, 2 }, { 0, 0, 0 }, { 5 * S, 7 * S, 2 } },
	{ "the earlier one", { 9 * S, 0, 0 }, { 5 * S, 0, 0 }, { 5 * S, 0, 0 } },
	{ "not the later one", { 5 * S, 0, 0 }, { 9 * S, 0, 0 }, { 5 * S, 0, 0 } },
	{ "not one of a window before", { 100000 * S, 0, 0 }, { 5 * S, 0, 0 }, { 100000 * S, 0, 0 } },
	{ "the later pass, the greater count", { 5 * S, 7 * S, 3 }, { 5 * S, 8 * S, 2 }, { 5 * S, 8 * S, 3 } },
};
/* clang-format on */

static void check_merge(void **state)
{
	struct merge_row row = *(const struct merge_row *)*state;

	pw_greylist_merge(&row.here, &row.there, &rule);
	same(&row.here, &row.after);
}

static struct sender_row {
	const char *label, *sender, *as;
} sender_rows[] = {
	{ "as it is", "ann@example.org", "ann@example.org" },
	{ "null sender", "", "" },
	{ "extension", "ann+shop@example.org", "ann@example.org" },
	{ "numbers", "b-123-4567x@list8.example", "b-#-#x@list8.example" },
	{ "a plus in front", "+7@example.org", "+#@example.org" },
	{ "no address", "what12+x", "what#" },
};

static void check_sender(void **state)
{
	const struct sender_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	pw_greylist_put_sender(&out, pw_str_from(row->sender));
	assert_string_equal(pw_buf_text(&out), row->as);
}

int main(void)
{
	struct CMUnitTest
		tests[PW_LEN(judge_rows) + PW_LEN(merge_rows) + PW_LEN(sender_rows)];

	PW_TABLE_TESTS(tests, 0, judge_rows, check_judge);
	PW_TABLE_TESTS(tests, PW_LEN(judge_rows), merge_rows, check_merge);
	PW_TABLE_TESTS(tests, PW_LEN(judge_rows) + PW_LEN(merge_rows), sender_rows,
	               check_sender);
	return cmocka_run_group_tests_name("greylist", tests, NULL, NULL);
}
