/* Files of stamp keys as tools make them: what is written is read, and what nothing is
 * accepted with goes. */
#include "../table.h"

#include <string.h>

#include "tools/stamp_keys.h"

#define DAY STAMP_KEYS_DAY_S
#define NOW (20000 * DAY)

static struct row {
	const char *label;
	int64_t until_s; /* of the first of two keys; the second ends later */
	size_t left_out;
} rows[] = {
	{ "both are valid", NOW + DAY, 0 },
	{ "one is over, mail of its time may wait", NOW - DAY, 0 },
	{ "to the last second", NOW - PW_STAMP_KEY_GRACE_S, 0 },
	{ "nothing of its time can wait any more", NOW - PW_STAMP_KEY_GRACE_S - 1, 1 },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf file = { 0 }, kept = { 0 }, why = { 0 };
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys = { 0 };

	pw_buf_puts(&file, PW_STR("# mine\n\n"));
	assert_int_equal(stamp_keys_make(&file, NOW - 50 * DAY, row->until_s), PW_OK);
	assert_int_equal(stamp_keys_make(&file, NOW - 50 * DAY, NOW + 50 * DAY), PW_OK);
	assert_int_equal(pw_stamp_keys_parse(&keys, pw_buf_str(&file), &why), PW_OK);
	assert_int_equal(keys.count, 2);
	assert_int_equal(stamp_keys_prune(&kept, pw_buf_str(&file), &keys, NOW),
	                 row->left_out);
	assert_true(pw_str_starts(pw_buf_str(&kept), PW_STR("# mine\n\n")));
	if (row->left_out == 0)
		assert_string_equal(pw_buf_text(&kept), pw_buf_text(&file));
	assert_int_equal(pw_stamp_keys_parse(&keys, pw_buf_str(&kept), &why), PW_OK);
	assert_int_equal(keys.count, 2 - row->left_out);
}

static void test_a_first_file(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf file = { 0 }, why = { 0 };
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys = { 0 };

	(void)state;
	assert_int_equal(stamp_keys_first(&file, NOW), PW_OK);
	assert_int_equal(pw_stamp_keys_parse(&keys, pw_buf_str(&file), &why), PW_OK);
	assert_int_equal(keys.count, 1);
	assert_ptr_equal(pw_stamp_keys_signer(&keys, NOW), &keys.keys[0]);
	assert_null(pw_stamp_keys_signer(&keys, NOW + (STAMP_KEYS_DAYS + 1) * DAY));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		[PW_LEN(rows)] = cmocka_unit_test(test_a_first_file),
	};

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
