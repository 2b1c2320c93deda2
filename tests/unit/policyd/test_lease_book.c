/* The book of leases: what is asked and told, and when. */
#include "../table.h"

#include <string.h>

#include "policyd/lease_book.h"

static const uint8_t seed[16] = { 5 };
static const struct catalog_rule rule = { .id = 7,
	                                  .rate = { 100, INT64_C(86400) * 1000000, 100 },
	                                  .is_strict = true };
#define ANN PW_STR("ann@example.test")
#define NOW ((int64_t)1000 * 1000000)

struct bed {
	struct ledger *ledger;
	struct lease_book *book;
	struct lease_loan loan;
};

static void begin(struct bed *bed, bool is_away)
{
	const struct lease_link link = { 2, 200000, is_away };

	*bed = (struct bed){ .ledger = NULL };
	assert_int_equal(ledger_new(&bed->ledger, seed, 100000), PW_OK);
	assert_int_equal(lease_book_new(&bed->book, bed->ledger), PW_OK);
	lease_book_link(bed->book, &link);
}

static void end(struct bed *bed)
{
	lease_book_free(&bed->book);
	ledger_free(&bed->ledger);
}

static struct ledger_account *account_of(struct bed *bed, struct pw_str who)
{
	struct ledger_account *account = NULL;

	assert_int_equal(ledger_open(bed->ledger, &account, &rule, who, NOW), PW_OK);
	return account;
}

static enum lease_answer take(struct bed *bed, struct pw_str who, int64_t cost,
                              int64_t now_us)
{
	return lease_book_take(bed->book, account_of(bed, who), &rule, cost, false,
	                       &bed->loan, now_us);
}

/* The key is asked about and gets so many. */
static void grant(struct bed *bed, struct pw_str who, int64_t held, int64_t now_us)
{
	const struct lease_grant answer = { .held = held,
		                            .until_db = 9,
		                            .lasts_us = held * 864000000,
		                            .behind_us = held * 864000000 };
	struct lease_item item;

	assert_true(lease_book_next_question(bed->book, &item, now_us));
	assert_int_equal(item.rule_id, 7);
	assert_true(pw_str_eq(item.who, who));
	lease_book_hear(bed->book, 7, who, &answer, now_us);
}

static bool told(struct bed *bed, struct lease_item *item, int64_t now_us)
{
	memset(item, 0, sizeof(*item));
	return lease_book_next_delta(bed->book, item, now_us);
}

static void asks_once_for_all_that_wait(void **state)
{
	struct bed bed;
	struct lease_item item;

	(void)state;
	begin(&bed, false);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(take(&bed, ANN, 2, NOW), LEASE_WAIT);
		lease_book_wait(account_of(&bed, ANN), 2);
	}
	assert_true(lease_book_next_question(bed.book, &item, NOW));
	assert_int_equal(item.question.need, 6);
	assert_int_equal(item.question.cost, 2);
	assert_false(lease_book_next_question(bed.book, &item, NOW));
	/* one more while it is on its way: asked about when the answer has come */
	assert_int_equal(take(&bed, ANN, 2, NOW + 1000), LEASE_WAIT);
	assert_false(lease_book_next_question(bed.book, &item, NOW));
	for (int i = 0; i < 3; i++)
		lease_book_unwait(account_of(&bed, ANN), 2);
	end(&bed);
}

static void idle_tokens_go_back(void **state)
{
	struct bed bed;
	struct lease_item item;

	(void)state;
	begin(&bed, false);
	assert_int_equal(take(&bed, ANN, 1, NOW), LEASE_WAIT);
	grant(&bed, ANN, 12, NOW);
	assert_int_equal(take(&bed, ANN, 1, NOW), LEASE_TAKEN);
	lease_book_commit(bed.book, account_of(&bed, ANN), &bed.loan, 1, NOW);
	assert_false(told(&bed, &item, NOW + 1500000));
	assert_false(told(&bed, &item, NOW + 4900000));
	assert_true(told(&bed, &item, NOW + 6000000));
	assert_int_equal(item.delta.back, 11);
	assert_int_equal(item.delta.until_db, 9);
	assert_false(told(&bed, &item, NOW + 6000000));
	assert_false(told(&bed, &item, NOW + 8000000));
	assert_int_equal(lease_book_count(bed.book), 0);
	/* what was seen of it stays */
	assert_true(account_of(&bed, ANN)->bucket.full_at_us > NOW + 800000000);
	assert_null(account_of(&bed, ANN)->more);
	end(&bed);
}

static void others_need_it(void **state)
{
	struct bed bed;
	struct lease_item item;

	(void)state;
	begin(&bed, false);
	lease_book_dry(bed.book, 7, ANN, NOW); /* nothing is held */
	assert_false(told(&bed, &item, NOW));
	assert_int_equal(take(&bed, ANN, 1, NOW), LEASE_WAIT);
	grant(&bed, ANN, 12, NOW);
	assert_int_equal(take(&bed, ANN, 7, NOW), LEASE_TAKEN);
	/* asked for more when others need it: given back when the answer is there */
	assert_true(lease_book_next_question(bed.book, &item, NOW));
	lease_book_dry(bed.book, 7, ANN, NOW);
	assert_false(told(&bed, &item, NOW));
	lease_book_hear(bed.book, 7, ANN, NULL, NOW);
	assert_true(told(&bed, &item, NOW));
	assert_int_equal(item.delta.back, 5);
	end(&bed);
}

static void an_outage_is_settled(void **state)
{
	const struct lease_link up = { 2, 200000, false };
	struct bed bed;
	struct lease_item item;

	(void)state;
	begin(&bed, true);
	assert_int_equal(take(&bed, ANN, 50, NOW), LEASE_TAKEN);
	assert_int_equal(take(&bed, ANN, 1, NOW), LEASE_EMPTY);
	lease_book_commit(bed.book, account_of(&bed, ANN), &bed.loan, 50, NOW);
	assert_false(told(&bed, &item, NOW + 20000000));
	lease_book_link(bed.book, &up);
	assert_true(told(&bed, &item, NOW + 20000000));
	assert_int_equal(item.delta.used, 50);
	assert_int_equal(item.delta.age_us, 20000000);
	assert_false(told(&bed, &item, NOW + 20000000));
	end(&bed);
}

static void the_end_gives_all_back(void **state)
{
	struct bed bed;
	struct lease_item item;
	int64_t back = 0;

	(void)state;
	begin(&bed, false);
	assert_int_equal(take(&bed, ANN, 1, NOW), LEASE_WAIT);
	grant(&bed, ANN, 12, NOW);
	assert_int_equal(take(&bed, PW_STR("bob"), 1, NOW), LEASE_WAIT);
	grant(&bed, PW_STR("bob"), 3, NOW);
	lease_book_end(bed.book);
	while (told(&bed, &item, NOW))
		back += item.delta.back;
	assert_int_equal(back, 15);
	end(&bed);
}

static void a_reset_voids_what_is_held(void **state)
{
	struct bed bed;
	struct lease_item item;

	(void)state;
	begin(&bed, false);
	assert_int_equal(take(&bed, ANN, 1, NOW), LEASE_WAIT);
	grant(&bed, ANN, 12, NOW);
	lease_book_reset(bed.book, 8, PW_STR(""));
	assert_int_equal(take(&bed, ANN, 1, NOW), LEASE_TAKEN);
	lease_book_reset(bed.book, 7, ANN);
	assert_int_equal(take(&bed, ANN, 1, NOW), LEASE_WAIT);
	assert_true(lease_book_next_question(bed.book, &item, NOW));
	assert_int_equal(item.question.have, 0);
	end(&bed);
}

static void many_leases_go_back_early(void **state)
{
	struct bed bed;
	struct lease_item item;
	char who[30];
	size_t back = 0;

	(void)state;
	begin(&bed, false);
	for (int i = 0; i < 20000; i++) {
		snprintf(who, sizeof(who), "u%d", i);
		assert_int_equal(take(&bed, pw_str_from(who), 1, NOW), LEASE_WAIT);
		grant(&bed, pw_str_from(who), 12, NOW);
	}
	while (told(&bed, &item, NOW + 200000))
		back++;
	assert_in_range(back, 9000, 11000);
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_once_for_all_that_wait),
		cmocka_unit_test(idle_tokens_go_back),
		cmocka_unit_test(others_need_it),
		cmocka_unit_test(an_outage_is_settled),
		cmocka_unit_test(the_end_gives_all_back),
		cmocka_unit_test(a_reset_voids_what_is_held),
		cmocka_unit_test(many_leases_go_back_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
