#include "../table.h"

#include <string.h>

#include "core/window.h"

#define SECOND ((int64_t)1000 * 1000)
#define HOUR (3600 * SECOND)
#define PART (HOUR / PW_WINDOW_PARTS)
#define NOW ((int64_t)1794000000 * SECOND)

static const struct pw_rate five_an_hour = { 5, HOUR, 1 };
static const struct pw_rate three_in_7s = { 3, 7 * SECOND, 1 };
static const struct pw_rate widest = { PW_RATE_COUNT_MAX, PW_RATE_PERIOD_MAX_US, 1 };
static const struct pw_rate shortest = { 1, 1, 1 };

/* Steps of one window, separated by blanks: "t" take one, "r" reserve, "c" commit, "f"
 * refund, each followed by '!' where it must be refused; "+N" N microseconds later, "-N"
 * earlier. */
struct story_row {
	const char *label;
	const struct pw_rate *rate;
	const char *steps;
	int64_t retry_after_us; /* for one more token, at the end */
};

static struct story_row story_rows[] = {
	{ "the limit at once", &five_an_hour, "t t t t t t!", HOUR + PART },
	{ "not before a period is over", &five_an_hour, "t t t t t +3599999999 t!",
	  PART + 1 },
	{ "nor in the sub-bucket that follows", &five_an_hour, "t t t t t +3674999999 t!",
	  1 },
	{ "all at once after it", &five_an_hour, "t t t t t +3675000000 t t t t t t!",
	  HOUR + PART },
	{ "what is older comes back first", &five_an_hour,
	  "t t +1800000000 t t t t! +1875000000 t t t!", 1800 * SECOND },
	{ "two in one sub-bucket go together", &five_an_hour,
	  "t +74999999 t t t t t! +3600000000 t! +1 t", 0 },
	{ "reserved is not available", &five_an_hour, "r r r r r t!", HOUR + PART },
	{ "refund gives it back at once", &five_an_hour, "r r r r r r! f t t!",
	  HOUR + PART },
	{ "commit counts from its own time", &five_an_hour,
	  "r r r r r +7200000000 c c c c c t!", HOUR + PART },
	{ "refund of an old reservation gives nothing extra", &five_an_hour,
	  "r +7200000000 t t t t t! f t t!", HOUR + PART },
	{ "clock one year back: waits a period at most", &five_an_hour,
	  "t t t t t -31536000000000 t! +3674999999 t! +1 t", 0 },
	{ "clock one year on: empty", &five_an_hour, "t t t t t +31536000000000 t", 0 },
	{ "3 in 7 s", &three_in_7s, "t t t +7145865 t! +1 t", 0 },
	{ "largest numbers", &widest, "t t t", 0 },
	{ "shortest period", &shortest, "t t! +48 t! +1 t", 49 },
};

static void one_step(struct pw_window *window, const struct pw_rate *rate,
                     const char *step, int64_t *now_us)
{
	bool allowed = step[1] != '!';

	switch (step[0]) {
	case 't':
		assert_int_equal(pw_window_reserve(window, rate, 1, *now_us), allowed);
		if (allowed)
			pw_window_commit(window, rate, 1, *now_us);
		break;
	case 'r':
		assert_int_equal(pw_window_reserve(window, rate, 1, *now_us), allowed);
		break;
	case 'c':
		pw_window_commit(window, rate, 1, *now_us);
		break;
	case 'f':
		pw_window_refund(window, 1);
		break;
	default:
		*now_us += strtoll(step, NULL, 10);
	}
}

static void check_story(void **state)
{
	const struct story_row *row = *state;
	struct pw_window window = { 0 };
	int64_t now_us = NOW;
	char steps[256], *rest = steps, *step;

	snprintf(steps, sizeof(steps), "%s", row->steps);
	while ((step = strsep(&rest, " ")) != NULL)
		one_step(&window, row->rate, step, &now_us);
	assert_int_equal(pw_window_retry_after(&window, row->rate, 1, now_us),
	                 row->retry_after_us);
}

static void more_than_the_limit_can_never_pass(void **state)
{
	struct pw_window window = { 0 };

	(void)state;
	assert_int_equal(pw_window_retry_after(&window, &five_an_hour, 6, NOW), -1);
	assert_false(pw_window_reserve(&window, &five_an_hour, 6, NOW));
	assert_true(pw_window_reserve(&window, &five_an_hour, 5, NOW));
}

static void take(struct pw_window *window, const struct pw_rate *rate, int64_t cost,
                 int64_t now_us)
{
	assert_true(pw_window_reserve(window, rate, cost, now_us));
	pw_window_commit(window, rate, cost, now_us);
}

static void a_lower_limit_counts_what_was_used(void **state)
{
	static const struct pw_rate ten = { 10, HOUR, 1 };
	struct pw_window window = { 0 };

	(void)state;
	take(&window, &ten, 7, NOW);
	pw_window_change(&window, &five_an_hour, NOW);
	assert_int_equal(pw_window_used(&window, &five_an_hour, NOW), 7);
	assert_false(pw_window_reserve(&window, &five_an_hour, 1, NOW));
	assert_true(pw_window_reserve(&window, &ten, 3, NOW));
}

/* Used 2 h, 30 min and 0 min ago, seen by windows of an hour and of a day. */
static void another_period_keeps_what_was_used(void **state)
{
	static const struct pw_rate hour = { 9, HOUR, 1 }, day = { 9, 24 * HOUR, 1 };
	struct pw_window window = { 0 };

	(void)state;
	take(&window, &day, 1, NOW);
	take(&window, &day, 2, NOW + 3 * HOUR / 2);
	take(&window, &day, 4, NOW + 2 * HOUR);
	assert_true(pw_window_reserve(&window, &day, 1, NOW + 2 * HOUR));
	pw_window_change(&window, &hour, NOW + 2 * HOUR);
	assert_int_equal(pw_window_used(&window, &hour, NOW + 2 * HOUR), 6 + 1);
	pw_window_change(&window, &day, NOW + 2 * HOUR);
	assert_int_equal(pw_window_used(&window, &day, NOW + 2 * HOUR), 6 + 1);
	assert_int_equal(pw_window_used(&window, &day, NOW + 27 * HOUR), 1);
}

int main(void)
{
	enum { OTHERS = 3 };
	struct CMUnitTest tests[OTHERS + PW_LEN(story_rows)] = {
		cmocka_unit_test(more_than_the_limit_can_never_pass),
		cmocka_unit_test(a_lower_limit_counts_what_was_used),
		cmocka_unit_test(another_period_keeps_what_was_used),
	};

	PW_TABLE_TESTS(tests, OTHERS, story_rows, check_story);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
