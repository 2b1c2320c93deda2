#include "../table.h"

#include <string.h>

#include "policyd/ledger.h"

#define SECOND ((int64_t)1000 * 1000)
#define NOW (1000 * SECOND)

static const uint8_t seed[16] = { 5 };
static const struct catalog_rule five_an_hour = { .id = 1,
	                                          .rate = { 5, 3600 * SECOND, 5 } };

static const struct catalog_rule window_of_five = { .id = 2,
	                                            .rate = { 5, 3600 * SECOND, 5 },
	                                            .kind = RULE_WINDOW };

static struct ledger *build(size_t accounts_max)
{
	struct ledger *ledger = NULL;

	assert_int_equal(ledger_new(&ledger, seed, accounts_max), PW_OK);
	return ledger;
}

static struct ledger_account *open_numbered(struct ledger *ledger, int number,
                                            int64_t now_us)
{
	struct ledger_account *account = NULL;
	char who[32];

	snprintf(who, sizeof(who), "user%d@example.test", number);
	if (ledger_open(ledger, &account, &five_an_hour, pw_str_from(who), now_us) !=
	    PW_OK)
		return NULL;
	return account;
}

static bool use_one(struct ledger *ledger, int number, int64_t now_us)
{
	struct ledger_account *account = open_numbered(ledger, number, now_us);

	return account != NULL &&
	       pw_rate_take(&account->bucket, &account->terms->rate, 1, now_us);
}

/* A full table lets idle accounts go and keeps each one that is in use. */
static void idle_accounts_make_room(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(1000);
	int64_t later_us = NOW + 720 * SECOND;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(use_one(ledger, i, i % 3 == 0 ? later_us : NOW));
	assert_int_equal(ledger_count(ledger), 1000);
	assert_non_null(open_numbered(ledger, 5000, later_us));
	assert_int_equal(ledger_count(ledger), 334 + 1);
	for (int i = 0; i < 1000; i += 3)
		assert_int_equal(pw_rate_used(&open_numbered(ledger, i, later_us)->bucket,
		                              &five_an_hour.rate, later_us),
		                 1);
}

static void a_table_of_busy_accounts_is_full(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(10);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(use_one(ledger, i, NOW));
	assert_null(open_numbered(ledger, 10, NOW));
	assert_true(use_one(ledger, 3, NOW));
	/* searched again only after a pause, then with success */
	assert_null(open_numbered(ledger, 10, NOW + SECOND / 2));
	assert_non_null(open_numbered(ledger, 10, NOW + 3600 * SECOND));
}

static void what_is_reserved_or_to_be_stored_stays(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(2);
	struct ledger_account *reserved = open_numbered(ledger, 0, NOW);
	struct ledger_account *changed = open_numbered(ledger, 1, NOW);

	(void)state;
	assert_true(account_reserve(reserved, 1, NOW));
	ledger_touch(ledger, changed);
	ledger_touch(ledger, changed);
	assert_null(open_numbered(ledger, 2, NOW));
	assert_ptr_equal(ledger_next_changed(ledger), changed);
	assert_null(ledger_next_changed(ledger));
	assert_non_null(open_numbered(ledger, 2, NOW + 2 * SECOND));
	assert_ptr_equal(open_numbered(ledger, 0, NOW), reserved);
}

static void a_name_too_long_has_no_account(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(10);
	static char name[LEDGER_WHO_MAX + 1];
	struct ledger_account *account;

	(void)state;
	memset(name, 'x', sizeof(name));
	assert_int_equal(ledger_open(ledger, &account, &five_an_hour,
	                             (struct pw_str){ name, sizeof(name) }, NOW),
	                 PW_ERR_LIMIT);
}

static struct ledger_account *open_who(struct ledger *ledger,
                                       const struct catalog_rule *rule, const char *who,
                                       int64_t now_us)
{
	struct ledger_account *account = NULL;

	assert_int_equal(ledger_open(ledger, &account, rule, pw_str_from(who), now_us),
	                 PW_OK);
	return account;
}

static void take(struct ledger_account *account, int64_t cost, int64_t now_us)
{
	assert_true(account_reserve(account, cost, now_us));
	account_commit(account, cost, now_us);
}

static void a_rule_of_another_kind_keeps_what_was_used(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(10);
	struct catalog_rule rule = five_an_hour;
	struct ledger_account *account = open_who(ledger, &rule, "a", NOW);

	(void)state;
	take(account, 3, NOW);
	assert_true(account_reserve(account, 1, NOW));
	rule.kind = RULE_WINDOW;
	assert_ptr_equal(open_who(ledger, &rule, "a", NOW), account);
	assert_int_equal(account_used(account, NOW), 4);
	account_refund(account, 1);
	assert_int_equal(account_used(account, NOW), 3);
	rule.kind = RULE_BUCKET;
	assert_ptr_equal(open_who(ledger, &rule, "a", NOW), account);
	assert_int_equal(account_used(account, NOW), 3);
	assert_int_equal(account_used(account, NOW + 720 * SECOND), 2);
}

static void a_reset_forgets_what_was_used_and_keeps_what_is_reserved(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(10);
	struct ledger_account *bucket = open_who(ledger, &five_an_hour, "a", NOW);
	struct ledger_account *window = open_who(ledger, &window_of_five, "a", NOW);
	struct ledger_account *other = open_who(ledger, &five_an_hour, "b", NOW);

	(void)state;
	take(bucket, 2, NOW);
	take(window, 2, NOW);
	take(other, 2, NOW);
	assert_true(account_reserve(window, 1, NOW));
	assert_int_equal(ledger_reset(ledger, 0, PW_STR("a")), 2);
	assert_int_equal(account_used(bucket, NOW), 0);
	assert_int_equal(account_used(window, NOW), 1);
	assert_int_equal(account_used(other, NOW), 2);
	assert_non_null(ledger_next_changed(ledger));
	assert_int_equal(ledger_reset(ledger, 2, PW_STR("")), 1);
	assert_int_equal(ledger_reset(ledger, 0, PW_STR("")), 3);
	assert_int_equal(account_used(other, NOW), 0);
}

/* Accounts come, are used, go idle and come again: the table never loses one. */
static void many_come_and_go(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(3000);
	int64_t now_us = NOW;

	(void)state;
	for (int round = 0; round < 20; round++, now_us += 3600 * SECOND) {
		for (int i = 0; i < 2900; i++)
			assert_true(use_one(ledger, round * 1000 + i, now_us));
		for (int i = 0; i < 2900; i++)
			assert_int_equal(
				account_used(
					open_numbered(ledger, round * 1000 + i, now_us),
					now_us),
				1);
	}
}

static void what_a_message_holds_stays(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(1);
	struct ledger_account *account = open_numbered(ledger, 0, NOW);

	(void)state;
	account->pins++;
	assert_null(open_numbered(ledger, 1, NOW));
	account->pins--;
	assert_non_null(open_numbered(ledger, 1, NOW + 2 * SECOND));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static void a_million_keys_fit_into_100_mb(void **state)
{
	(void)state; /* of no use where each has a red zone */
}
#else
static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return pages * 4096;
}

static void a_million_keys_fit_into_100_mb(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(LEDGER_ACCOUNTS_MAX);
	size_t before = resident_bytes(), bytes;

	(void)state;
	for (int i = 0; i < 1000000; i++)
		assert_true(use_one(ledger, i, NOW));
	assert_int_equal(ledger_count(ledger), 1000000);
	bytes = resident_bytes() - before;
	print_message("a million keys: %zu MB\n", bytes / 1000000);
	assert_true(bytes < 100000000);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_accounts_make_room),
		cmocka_unit_test(a_table_of_busy_accounts_is_full),
		cmocka_unit_test(what_is_reserved_or_to_be_stored_stays),
		cmocka_unit_test(a_name_too_long_has_no_account),
		cmocka_unit_test(a_rule_of_another_kind_keeps_what_was_used),
		cmocka_unit_test(
			a_reset_forgets_what_was_used_and_keeps_what_is_reserved),
		cmocka_unit_test(many_come_and_go),
		cmocka_unit_test(what_a_message_holds_stays),
		cmocka_unit_test(a_million_keys_fit_into_100_mb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
