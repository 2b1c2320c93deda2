#include "../table.h"

#include <string.h>

#include "origin/fallback/recipients.h"

#define AGE_S 1000
#define NOW_S 5000000

static const uint8_t key[RECIPIENTS_KEY_BYTES] = "0123456789abcde";

static void put(struct recipients *table, const char *address, int64_t now_s)
{
	assert_int_equal(recipients_put(table, pw_str_from(address), now_s), PW_OK);
}

static bool has(const struct recipients *table, const char *address, int64_t now_s)
{
	return recipients_has(table, pw_str_from(address), AGE_S, now_s);
}

static void number(char *text, size_t room, int i)
{
	(void)snprintf(text, room, "user%d@example.test", i);
}

static void knows_what_was_put(void **state)
{
	PW_AUTO(recipients_done) struct recipients table;

	(void)state;
	recipients_init(&table, key, 100);
	assert_false(has(&table, "ann@example.test", NOW_S));
	put(&table, "ann@example.test", NOW_S);
	assert_true(has(&table, "ann@example.test", NOW_S));
	assert_false(has(&table, "bob@example.test", NOW_S));
	recipients_drop(&table, PW_STR("ann@example.test"));
	recipients_drop(&table, PW_STR("ann@example.test"));
	assert_false(has(&table, "ann@example.test", NOW_S));
	assert_int_equal(table.count, 0);
}

static void forgets_with_age(void **state)
{
	PW_AUTO(recipients_done) struct recipients table;

	(void)state;
	recipients_init(&table, key, 100);
	put(&table, "ann@example.test", NOW_S);
	assert_true(has(&table, "ann@example.test", NOW_S + AGE_S));
	assert_false(has(&table, "ann@example.test", NOW_S + AGE_S + 1));
	assert_true(has(&table, "ann@example.test", NOW_S - 10)); /* the clock stepped */
	put(&table, "ann@example.test", NOW_S + 50);
	assert_true(has(&table, "ann@example.test", NOW_S + AGE_S + 50));
	assert_int_equal(table.count, 1);
}

static void is_bounded_and_keeps_the_young(void **state)
{
	PW_AUTO(recipients_done) struct recipients table;
	char text[64];
	int known = 0;

	(void)state;
	recipients_init(&table, key, 100);
	for (int i = 0; i < 1000; i++) {
		number(text, sizeof(text), i);
		put(&table, text, NOW_S + i / 10);
		assert_true(has(&table, text, NOW_S + 100));
	}
	assert_int_equal(table.count, 100);
	for (int i = 800; i < 1000; i++) {
		number(text, sizeof(text), i);
		known += has(&table, text, NOW_S + 100);
	}
	assert_true(known > 80);
}

/* Removal shifts runs back: nothing else may get lost by it. */
static void dropping_loses_no_other(void **state)
{
	PW_AUTO(recipients_done) struct recipients table;
	char text[64];

	(void)state;
	recipients_init(&table, key, 10000);
	for (int i = 0; i < 4000; i++) {
		number(text, sizeof(text), i);
		put(&table, text, NOW_S);
	}
	for (int i = 0; i < 4000; i += 3) {
		number(text, sizeof(text), i);
		recipients_drop(&table, pw_str_from(text));
	}
	for (int i = 0; i < 4000; i++) {
		number(text, sizeof(text), i);
		assert_int_equal(has(&table, text, NOW_S), i % 3 != 0);
	}
}

static void survives_its_file(void **state)
{
	PW_AUTO(recipients_done) struct recipients table, other;
	PW_AUTO(pw_buf_done) struct pw_buf file = { 0 };
	char text[64];

	(void)state;
	recipients_init(&table, key, 1000);
	recipients_init(&other, (const uint8_t *)"another key 1234", 1000);
	put(&table, "old@example.test", NOW_S - AGE_S - 1);
	put(&other, "bob@example.test", NOW_S);
	for (int i = 0; i < 300; i++) {
		number(text, sizeof(text), i);
		put(&table, text, NOW_S);
	}
	recipients_dump(&file, &table, AGE_S, NOW_S);
	assert_int_equal(pw_buf_status(&file), PW_OK);
	assert_false(pw_str_contains(pw_buf_str(&file), PW_STR("user")));
	assert_int_equal(recipients_load(&other, pw_buf_str(&file), NOW_S), PW_OK);
	assert_int_equal(other.count, 300);
	assert_false(other.is_changed);
	assert_true(has(&other, "user299@example.test", NOW_S));
	assert_false(has(&other, "bob@example.test", NOW_S));
	assert_false(has(&other, "old@example.test", NOW_S - AGE_S));
}

static void a_smaller_table_takes_what_fits(void **state)
{
	PW_AUTO(recipients_done) struct recipients table, other;
	PW_AUTO(pw_buf_done) struct pw_buf file = { 0 };
	char text[64];

	(void)state;
	recipients_init(&table, key, 1000);
	recipients_init(&other, key, 10);
	for (int i = 0; i < 300; i++) {
		number(text, sizeof(text), i);
		put(&table, text, NOW_S);
	}
	recipients_dump(&file, &table, AGE_S, NOW_S);
	assert_int_equal(recipients_load(&other, pw_buf_str(&file), NOW_S), PW_OK);
	assert_int_equal(other.count, 10);
}

/* Every single flipped bit and every cut is seen, and changes nothing. */
static void refuses_what_is_not_whole(void **state)
{
	PW_AUTO(recipients_done) struct recipients table, other;
	PW_AUTO(pw_buf_done) struct pw_buf file = { 0 };

	(void)state;
	recipients_init(&table, key, 1000);
	recipients_init(&other, key, 1000);
	put(&other, "bob@example.test", NOW_S);
	put(&table, "ann@example.test", NOW_S);
	recipients_dump(&file, &table, AGE_S, NOW_S);
	for (size_t i = 0; i < file.len * 8; i++) {
		file.at[i / 8] = (char)(file.at[i / 8] ^ (1 << i % 8));
		assert_int_equal(recipients_load(&other, pw_buf_str(&file), NOW_S),
		                 PW_ERR_SYNTAX);
		file.at[i / 8] = (char)(file.at[i / 8] ^ (1 << i % 8));
	}
	for (size_t len = 0; len < file.len; len++)
		assert_int_equal(recipients_load(&other,
		                                 pw_str_sub(pw_buf_str(&file), 0, len),
		                                 NOW_S),
		                 PW_ERR_SYNTAX);
	assert_true(has(&other, "bob@example.test", NOW_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_what_was_put),
		cmocka_unit_test(forgets_with_age),
		cmocka_unit_test(is_bounded_and_keeps_the_young),
		cmocka_unit_test(dropping_loses_no_other),
		cmocka_unit_test(survives_its_file),
		cmocka_unit_test(a_smaller_table_takes_what_fits),
		cmocka_unit_test(refuses_what_is_not_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
