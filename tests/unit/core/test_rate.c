#include "../table.h"

#include <string.h>

#include "core/rate.h"

#define SECOND ((int64_t)1000 * 1000)
#define HOUR (3600 * SECOND)
#define NOW ((int64_t)1794000000 * SECOND)

static const struct pw_rate five_an_hour = { 5, HOUR, 5 };
static const struct pw_rate three_in_7s = { 3, 7 * SECOND, 3 };
static const struct pw_rate one_at_a_time = { 60, HOUR, 1 };
static const struct pw_rate widest = { PW_RATE_COUNT_MAX, PW_RATE_PERIOD_MAX_US,
	                               PW_RATE_COUNT_MAX };
static const struct pw_rate slowest = { 1, PW_RATE_PERIOD_MAX_US, 99 };

/* Steps of one bucket, separated by blanks: "t" take one, "r" reserve, "c" commit, "f"
 * refund, each followed by '!' where it must be refused; "+N" N microseconds later, "-N"
 * earlier. */
struct story_row {
	const char *label;
	const struct pw_rate *rate;
	const char *steps;
	int64_t retry_after_us; /* for one more token, at the end */
};

static struct story_row story_rows[] = {
	{ "a full bucket gives its burst", &five_an_hour, "t t t t t t! t!",
	  720 * SECOND },
	{ "one token flows back", &five_an_hour, "t t t t t +720000000 t t!",
	  720 * SECOND },
	{ "not a microsecond early", &five_an_hour, "t t t t t +719999999 t!", 1 },
	{ "3 in 7 s: second third", &three_in_7s, "t t t +2333333 t! +1 t t!", 2333333 },
	{ "3 in 7 s: no drift over a period", &three_in_7s,
	  "t t t +2333334 t +2333333 t +2333333 t t! +7000000 t t t t!", 2333334 },
	{ "burst smaller than the limit", &one_at_a_time, "t t! +60000000 t t!",
	  60 * SECOND },
	{ "reserved is not available", &five_an_hour, "r r r r r r!", 720 * SECOND },
	{ "refund gives it back at once", &five_an_hour, "r r r r r r! f r r!",
	  720 * SECOND },
	{ "refund of an old reservation gives nothing extra", &five_an_hour,
	  "r +3600000000 t t t t t! f t t!", 720 * SECOND },
	{ "commit counts from its own time", &five_an_hour,
	  "r r r r r +3600000000 c c c c c t!", 720 * SECOND },
	{ "never more than burst after a long pause", &five_an_hour,
	  "t t t t t +90000000000 t t t t t t!", 720 * SECOND },
	{ "clock one year back: waits one filling at most", &five_an_hour,
	  "t t t t t -31536000000000 t!", 720 * SECOND },
	{ "clock one year back: fills from then on", &five_an_hour,
	  "t t t t t -31536000000000 t! +719999999 t! +1 t t!", 720 * SECOND },
	{ "clock one year on: full", &five_an_hour, "t t t t t +31536000000000 t", 0 },
	{ "largest numbers", &widest, "t t t", 0 },
	{ "slowest bucket", &slowest, "t t t", 0 },
};

static void one_step(struct pw_bucket *bucket, const struct pw_rate *rate,
                     const char *step, int64_t *now_us)
{
	bool allowed = step[1] != '!';

	switch (step[0]) {
	case 't':
		assert_int_equal(pw_rate_take(bucket, rate, 1, *now_us), allowed);
		break;
	case 'r':
		assert_int_equal(pw_rate_reserve(bucket, rate, 1, *now_us), allowed);
		break;
	case 'c':
		pw_rate_commit(bucket, rate, 1, *now_us);
		break;
	case 'f':
		pw_rate_refund(bucket, 1);
		break;
	default:
		*now_us += strtoll(step, NULL, 10);
	}
}

static void check_story(void **state)
{
	const struct story_row *row = *state;
	struct pw_bucket bucket = { 0 };
	int64_t now_us = NOW;
	char steps[256], *rest = steps, *step;

	snprintf(steps, sizeof(steps), "%s", row->steps);
	while ((step = strsep(&rest, " ")) != NULL)
		one_step(&bucket, row->rate, step, &now_us);
	assert_int_equal(pw_rate_retry_after(&bucket, row->rate, 1, now_us),
	                 row->retry_after_us);
}

struct change_row {
	const char *label;
	struct pw_rate from, to;
	int64_t taken, left;
};

static struct change_row change_rows[] = {
	{ "a higher limit leaves the difference",
	  { 5, HOUR, 5 },
	  { 10, HOUR, 10 },
	  5,
	  5 },
	{ "a lower limit counts what was used", { 10, HOUR, 10 }, { 5, HOUR, 5 }, 3, 2 },
	{ "a much lower limit leaves nothing", { 10, HOUR, 10 }, { 5, HOUR, 5 }, 9, 0 },
	{ "another period", { 5, HOUR, 5 }, { 5, 24 * HOUR, 5 }, 2, 3 },
	{ "thirds", { 3, 7 * SECOND, 3 }, { 7, 3 * SECOND, 7 }, 2, 5 },
	{ "unused stays unused", { 5, HOUR, 5 }, { 1, HOUR, 1 }, 0, 1 },
};

static void check_change(void **state)
{
	const struct change_row *row = *state;
	struct pw_bucket bucket = { 0 };

	for (int64_t i = 0; i < row->taken; i++)
		assert_true(pw_rate_take(&bucket, &row->from, 1, NOW));
	pw_rate_change(&bucket, &row->from, &row->to, NOW);
	for (int64_t i = 0; i < row->left; i++)
		assert_true(pw_rate_take(&bucket, &row->to, 1, NOW));
	assert_false(pw_rate_take(&bucket, &row->to, 1, NOW));
}

struct valid_row {
	const char *label;
	struct pw_rate rate;
	bool valid;
};

static struct valid_row valid_rows[] = {
	{ "smallest", { 1, 1, 1 }, true },
	{ "largest",
	  { PW_RATE_COUNT_MAX, PW_RATE_PERIOD_MAX_US, PW_RATE_COUNT_MAX },
	  true },
	{ "limit 0", { 0, HOUR, 1 }, false },
	{ "negative burst", { 1, HOUR, -1 }, false },
	{ "99 years to fill", { 1, PW_RATE_PERIOD_MAX_US, 99 }, true },
	{ "101 years to fill", { 1, PW_RATE_PERIOD_MAX_US, 101 }, false },
	{ "period too long", { 1, PW_RATE_PERIOD_MAX_US + 1, 1 }, false },
};

static void check_valid(void **state)
{
	const struct valid_row *row = *state;

	assert_int_equal(pw_rate_valid(&row->rate), row->valid);
}

static void more_than_the_burst_can_never_pass(void **state)
{
	struct pw_bucket bucket = { 0 };

	(void)state;
	assert_int_equal(pw_rate_retry_after(&bucket, &five_an_hour, 6, NOW), -1);
	assert_false(pw_rate_take(&bucket, &five_an_hour, 6, NOW));
	assert_true(pw_rate_take(&bucket, &five_an_hour, 5, NOW));
}

static void used_counts_parts_as_whole(void **state)
{
	struct pw_bucket bucket = { 0 };

	(void)state;
	assert_int_equal(pw_rate_used(&bucket, &five_an_hour, NOW), 0);
	assert_true(pw_rate_take(&bucket, &five_an_hour, 2, NOW));
	assert_true(pw_rate_reserve(&bucket, &five_an_hour, 1, NOW));
	assert_int_equal(pw_rate_used(&bucket, &five_an_hour, NOW), 3);
	assert_int_equal(pw_rate_used(&bucket, &five_an_hour, NOW + SECOND), 3);
	assert_int_equal(pw_rate_used(&bucket, &five_an_hour, NOW + 720 * SECOND), 2);
}

/* 1000 askers at odd instants over one hour: exactly burst + what flowed in. */
static void admits_the_exact_number(void **state)
{
	static const struct pw_rate rate = { 100, HOUR, 100 };
	struct pw_bucket bucket = { 0 };
	int admitted = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		admitted += pw_rate_take(&bucket, &rate, 1, NOW + i * (HOUR / 1000));
	assert_int_equal(admitted, 199);
}

int main(void)
{
	enum { STORIES = PW_LEN(story_rows), CHANGES = PW_LEN(change_rows) };
	struct CMUnitTest tests[3 + STORIES + CHANGES + PW_LEN(valid_rows)] = {
		cmocka_unit_test(more_than_the_burst_can_never_pass),
		cmocka_unit_test(used_counts_parts_as_whole),
		cmocka_unit_test(admits_the_exact_number),
	};

	PW_TABLE_TESTS(tests, 3, story_rows, check_story);
	PW_TABLE_TESTS(tests, 3 + STORIES, change_rows, check_change);
	PW_TABLE_TESTS(tests, 3 + STORIES + CHANGES, valid_rows, check_valid);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
