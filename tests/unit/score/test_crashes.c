#include "../table.h"

#include "score/crashes.h"

static void they_are_counted_by_message(void **state)
{
	static struct crashes crashes;

	(void)state;
	assert_int_equal(crashes_of(&crashes, 7, 0), 0);
	assert_int_equal(crashes_note(&crashes, 7, 1000), 1);
	assert_int_equal(crashes_note(&crashes, 8, 1000), 1);
	assert_int_equal(crashes_note(&crashes, 7, 2000), 2);
	assert_int_equal(crashes_of(&crashes, 7, 3000), 2);
	assert_int_equal(crashes_of(&crashes, 8, 3000), 1);
	assert_int_equal(crashes_of(&crashes, 0, 3000), 0);
}

static void after_a_week_they_are_forgotten(void **state)
{
	static struct crashes crashes;

	(void)state;
	assert_int_equal(crashes_note(&crashes, 7, 1000), 1);
	assert_int_equal(crashes_of(&crashes, 7, 1000 + CRASHES_KEPT_MS - 1), 1);
	assert_int_equal(crashes_of(&crashes, 7, 1000 + CRASHES_KEPT_MS), 0);
	assert_int_equal(crashes_note(&crashes, 7, 1000 + CRASHES_KEPT_MS), 1);
}

static void the_oldest_makes_room(void **state)
{
	static struct crashes crashes;

	(void)state;
	for (uint64_t i = 1; i <= CRASHES_KEPT + 1; i++)
		assert_int_equal(crashes_note(&crashes, i, (int64_t)i * 10), 1);
	assert_int_equal(crashes_of(&crashes, 1, 10000), 0);
	assert_int_equal(crashes_of(&crashes, 2, 10000), 1);
	assert_int_equal(crashes_of(&crashes, CRASHES_KEPT + 1, 10000), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_counted_by_message),
		cmocka_unit_test(after_a_week_they_are_forgotten),
		cmocka_unit_test(the_oldest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
