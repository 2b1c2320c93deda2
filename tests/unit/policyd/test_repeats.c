/* A conversation with the pure table: each word notes a failure, one second after the one
 * before. "a1": pair a, password 1; "a0": its password is not known. What is said of it
 * stands in ages: seconds since the pair and since the password, "-" = never. */
#include "../table.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "policyd/repeats.h"

static const uint8_t seed[16] = { 3 };

struct row {
	const char *label;
	const char *notes, *ages;
};

static struct row rows[] = {
	{ "the first is new", "a1", "--" },
	{ "the same again", "a1 a1 a1", "-- 11 11" },
	{ "another password", "a1 a2 a1", "-- 1- 12" },
	{ "of another pair", "a1 b1 a1", "-- -- 22" },
	{ "not known is like nothing", "a0 a0 a1 a0", "-- 1- 1- 1-" },
	{ "the sixteenth is remembered",
	  "a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16 a2",
	  "-- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1:15" },
	{ "the seventeenth takes the place of the oldest",
	  "a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16 a17 a1 a3",
	  "-- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1- 1:16" },
};

static void put_age(struct pw_buf *out, int64_t age_ms)
{
	if (age_ms == REPEATS_NEVER)
		pw_buf_putc(out, '-');
	else
		pw_buf_printf(out, age_ms < 10000 ? "%d" : ":%d", (int)(age_ms / 1000));
}

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf ages = { 0 };
	PW_AUTO(repeats_free) struct repeats *repeats = NULL;
	struct pw_str rest = pw_str_from(row->notes);
	int64_t now_ms = 5000;

	assert_int_equal(repeats_new(&repeats, seed), PW_OK);
	for (; rest.len > 0; now_ms += 1000) {
		struct pw_str word = pw_str_cut(&rest, ' ');
		struct repeats_age age = repeats_note(repeats, pw_str_sub(word, 0, 1),
		                                      atoi(word.at + 1), now_ms);

		if (ages.len > 0)
			pw_buf_putc(&ages, ' ');
		put_age(&ages, age.pair_ms);
		put_age(&ages, age.password_ms);
	}
	assert_string_equal(pw_buf_text(&ages), row->ages);
}

static struct repeats_age note_number(struct repeats *repeats, int number, int64_t now_ms)
{
	struct pw_str pair = { (const char *)&number, sizeof(number) };

	return repeats_note(repeats, pair, 1, now_ms);
}

static void check_bound_and_sweep(void **state)
{
	PW_AUTO(repeats_free) struct repeats *repeats = NULL;

	(void)state;
	assert_int_equal(repeats_new(&repeats, seed), PW_OK);
	for (int i = 0; i <= (int)REPEATS_PAIRS_MAX; i++)
		assert_int_equal(note_number(repeats, i, i).pair_ms, REPEATS_NEVER);
	assert_int_equal(note_number(repeats, 1, 60000).pair_ms, 59999);
	assert_int_equal(note_number(repeats, 0, 60000).pair_ms, REPEATS_NEVER);
	repeats_sweep(repeats, 500); /* 2 was forgotten for 0 */
	assert_int_equal(note_number(repeats, 499, 60000).pair_ms, REPEATS_NEVER);
	assert_int_equal(note_number(repeats, 500, 60000).pair_ms, 59500);
}

int main(void)
{
	enum { ROWS = PW_LEN(rows) };
	struct CMUnitTest tests[ROWS + 1] = {
		[ROWS] = cmocka_unit_test(check_bound_and_sweep),
	};

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
