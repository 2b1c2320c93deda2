#include "../table.h"

#include <string.h>

#include "policyd/ledger.h"

#define SECOND ((int64_t)1000 * 1000)
#define NOW (1000 * SECOND)

static const uint8_t seed[16] = { 5 };
static const struct catalog_rule five_an_hour = { .id = 1,
	                                          .rate = { 5, 3600 * SECOND, 5 } };

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
	       pw_rate_take(&account->bucket, &account->rate, 1, now_us);
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
	assert_true(pw_rate_reserve(&reserved->bucket, &reserved->rate, 1, NOW));
	ledger_touch(ledger, changed);
	ledger_touch(ledger, changed);
	assert_null(open_numbered(ledger, 2, NOW));
	assert_ptr_equal(ledger_next_changed(ledger), changed);
	assert_null(ledger_next_changed(ledger));
	assert_non_null(open_numbered(ledger, 2, NOW + 2 * SECOND));
	assert_ptr_equal(open_numbered(ledger, 0, NOW), reserved);
}

/* Stored: 3 of 5 used; used since the start: 1. */
static void stored_counters_add_to_what_was_used(void **state)
{
	PW_AUTO(ledger_free) struct ledger *ledger = build(10);
	struct pw_str who = PW_STR("user0@example.test");
	struct ledger_account *account;

	(void)state;
	assert_true(use_one(ledger, 0, NOW));
	assert_int_equal(ledger_restore(ledger, 1, who, NOW + 3 * 720 * SECOND, NOW),
	                 PW_OK);
	account = open_numbered(ledger, 0, NOW);
	assert_int_equal(pw_rate_used(&account->bucket, &account->rate, NOW), 4);
	assert_int_equal(ledger_restore(ledger, 1, PW_STR("full@example.test"), NOW, NOW),
	                 PW_OK);
	assert_int_equal(ledger_count(ledger), 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_accounts_make_room),
		cmocka_unit_test(a_table_of_busy_accounts_is_full),
		cmocka_unit_test(what_is_reserved_or_to_be_stored_stays),
		cmocka_unit_test(stored_counters_add_to_what_was_used),
		cmocka_unit_test(a_name_too_long_has_no_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
