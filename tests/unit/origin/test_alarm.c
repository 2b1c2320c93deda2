#include "../table.h"

#include "origin/stamp/alarm.h"

static void check(void **state)
{
	struct alarms alarms;
	int64_t silent = -1;

	(void)state;
	alarms_init(&alarms);
	assert_true(alarms_due(&alarms, "clock", 5, &silent));
	assert_int_equal(silent, 0);
	assert_false(alarms_due(&alarms, "clock", 5, &silent));
	assert_true(alarms_due(&alarms, "mac", 5, &silent));
	assert_false(alarms_due(&alarms, "clock", 4 + ALARM_PAUSE_MS, &silent));
	assert_true(alarms_due(&alarms, "clock", 5 + ALARM_PAUSE_MS, &silent));
	assert_int_equal(silent, 2);
	assert_false(alarms_due(&alarms, "clock", 6 + ALARM_PAUSE_MS, &silent));
	alarms_done(&alarms);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(check) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
