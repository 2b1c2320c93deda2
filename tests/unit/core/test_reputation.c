#include "../table.h"

#include "core/reputation.h"

struct weigh_row {
	const char *label;
	int64_t spam, ham; /* messages */
	int32_t weight;
};

/* clang-format off */
static struct weigh_row weigh_rows[] = {
	{ "nothing",            0,   0,      0 },
	{ "nine of spam",       9,   0,      0 },
	{ "ten of spam",        10,  0,    500 },
	{ "many of spam",       990, 0,    990 },
	{ "seven of ten",       7,   3,      0 },
	{ "half",               50,  50,     0 },
	{ "a tenth",            10,  90,     0 },
	{ "a twentieth",        5,   95,  -454 },
	{ "ten honest ones",    0,   10,  -500 },
	{ "less than nothing",  -5,  -5,     0 },
	{ "more than there is", INT64_MAX / 1000, 0, 999 },
};
/* clang-format on */

static void check_weigh(void **state)
{
	const struct weigh_row *row = *state;
	const struct pw_reputation_source source = { .spam_milli = row->spam * 1000,
		                                     .ham_milli = row->ham * 1000 };

	assert_int_equal(pw_reputation_weigh(&source), row->weight);
}

struct judge_row {
	const char *label;
	int64_t score;
	int32_t required;
	enum pw_reputation_verdict verdict;
};

/* clang-format off */
static struct judge_row judge_rows[] = {
	{ "two above",         8000, 6000, PW_REPUTATION_SPAM },
	{ "less than that",    7999, 6000, PW_REPUTATION_DOUBT },
	{ "four below",        2000, 6000, PW_REPUTATION_HAM },
	{ "more than that",    2001, 6000, PW_REPUTATION_DOUBT },
	{ "without threshold", 8000, 0,    PW_REPUTATION_SPAM },
	{ "a higher one",      8000, 9000, PW_REPUTATION_DOUBT },
};
/* clang-format on */

static void check_judge(void **state)
{
	const struct judge_row *row = *state;

	assert_int_equal(pw_reputation_judge(row->score, row->required), row->verdict);
}

static void sources_are_added_once(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_reputation r = { 0 };

	(void)state;
	pw_reputation_add(&r, PW_REPUTATION_DKIM, PW_STR("A.test"));
	pw_reputation_add(&r, PW_REPUTATION_DKIM, PW_STR("a.TEST"));
	pw_reputation_add(&r, PW_REPUTATION_SENDER, PW_STR("a.test"));
	pw_reputation_add(&r, PW_REPUTATION_SENDER, PW_STR(""));
	assert_int_equal(r.count, 2);
	pw_reputation_put(&text, &r.at[0]);
	assert_string_equal(pw_buf_text(&text), "dkim:a.test");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(weigh_rows) + PW_LEN(judge_rows) + 1] = {
		cmocka_unit_test(sources_are_added_once),
	};

	PW_TABLE_TESTS(tests, 1, weigh_rows, check_weigh);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(weigh_rows), judge_rows, check_judge);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
