#include "../table.h"

#include "policyd/chore_queue.h"

static const uint8_t seed[16] = { 5 };

static struct chore *make(enum chore_kind kind, const char *login, int64_t due_ms)
{
	struct chore *chore = NULL;

	assert_int_equal(chore_new(&chore, kind, pw_str_from(login)), PW_OK);
	chore->due_ms = due_ms;
	return chore;
}

static enum pw_status put(struct chore_queue *queue, struct chore *chore)
{
	enum pw_status r = chore_queue_put(queue, &chore);

	assert_null(chore);
	return r;
}

static struct chore_queue *new_queue(void)
{
	struct chore_queue *queue = NULL;

	assert_int_equal(chore_queue_new(&queue, seed), PW_OK);
	return queue;
}

static void expect(struct chore_queue *queue, const char *login, int64_t now_ms)
{
	int64_t due_ms;
	PW_AUTO(chore_free)
	struct chore *chore = chore_queue_take(queue, &due_ms, now_ms);

	assert_non_null(chore);
	assert_string_equal(pw_buf_text(&chore->login), login);
}

static void test_order(void **state)
{
	PW_AUTO(chore_queue_free) struct chore_queue *queue = new_queue();
	static const int64_t due[] = { 50, 10, 40, 20, 30, 60, 5 };
	char login[20];
	int64_t due_ms;

	(void)state;
	for (size_t i = 0; i < PW_LEN(due); i++) {
		snprintf(login, sizeof(login), "%d", (int)due[i]);
		assert_int_equal(put(queue, make(CHORE_KICK, login, due[i])), PW_OK);
	}
	assert_null(chore_queue_take(queue, &due_ms, 4));
	assert_int_equal(due_ms, 5);
	expect(queue, "5", 100);
	expect(queue, "10", 100);
	expect(queue, "20", 100);
	assert_int_equal(put(queue, make(CHORE_KICK, "35", 35)), PW_OK);
	expect(queue, "30", 100);
	expect(queue, "35", 100);
	expect(queue, "40", 100);
	expect(queue, "50", 100);
	assert_null(chore_queue_take(queue, &due_ms, 59));
	expect(queue, "60", 60);
	assert_null(chore_queue_take(queue, &due_ms, 100));
	assert_true(due_ms == INT64_MAX);
}

/* The same login twice waits once; a second round is a chore of its own; warnings are
 * never merged. */
static void test_merge(void **state)
{
	PW_AUTO(chore_queue_free) struct chore_queue *queue = new_queue();
	struct chore *again = make(CHORE_KICK, "ann", 3000);

	(void)state;
	again->is_again = true;
	assert_int_equal(put(queue, make(CHORE_KICK, "ann", 0)), PW_OK);
	assert_int_equal(put(queue, make(CHORE_KICK, "ann", 0)), PW_OK);
	assert_int_equal(chore_queue_count(queue, CHORE_KICK), 1);
	assert_int_equal(put(queue, again), PW_OK);
	assert_int_equal(chore_queue_count(queue, CHORE_KICK), 2);
	expect(queue, "ann", 0);
	assert_int_equal(put(queue, make(CHORE_KICK, "ann", 0)), PW_OK);
	assert_int_equal(chore_queue_count(queue, CHORE_KICK), 2);
	assert_int_equal(put(queue, make(CHORE_WARN, "ann", 0)), PW_OK);
	assert_int_equal(put(queue, make(CHORE_WARN, "ann", 0)), PW_OK);
	assert_int_equal(chore_queue_count(queue, CHORE_WARN), 2);
}

/* Asked for again, what was tried in vain gets its whole patience once more. */
static void test_merge_renews(void **state)
{
	PW_AUTO(chore_queue_free) struct chore_queue *queue = new_queue();
	struct chore *tried = make(CHORE_KICK, "ann", 0);
	int64_t due_ms;

	(void)state;
	assert_true(chore_may_retry(tried, 1000));
	assert_int_equal(put(queue, tried), PW_OK);
	assert_int_equal(put(queue, make(CHORE_KICK, "ann", 0)), PW_OK);
	tried = chore_queue_take(queue, &due_ms, 10000);
	assert_non_null(tried);
	assert_int_equal(tried->first_try_ms, 0);
	assert_int_equal(tried->tries, 0);
	chore_free(&tried);
}

/* A full queue still takes the one kick that replaces all others. */
static void test_full(void **state)
{
	PW_AUTO(chore_queue_free) struct chore_queue *queue = new_queue();
	char login[20];

	(void)state;
	for (int i = 0; i < CHORE_WAITING_MAX; i++) {
		snprintf(login, sizeof(login), "u%d", i);
		assert_int_equal(put(queue, make(CHORE_KICK, login, 0)), PW_OK);
	}
	assert_int_equal(put(queue, make(CHORE_KICK, "ann", 0)), PW_ERR_LIMIT);
	assert_int_equal(put(queue, make(CHORE_KICK, "u7", 0)), PW_OK);
	assert_int_equal(put(queue, make(CHORE_WARN, "ann", 0)), PW_OK);
	assert_int_equal(put(queue, make(CHORE_KICK, "*", 0)), PW_OK);
	assert_int_equal(put(queue, make(CHORE_KICK, "*", 0)), PW_OK);
	assert_int_equal(chore_queue_count(queue, CHORE_KICK), CHORE_WAITING_MAX + 1);
}

/* How often, and for how long, a chore is tried that starts at 1 s. */
static void check_patience(enum chore_kind kind, int64_t total_ms, int tries_min,
                           int tries_max)
{
	PW_AUTO(chore_free) struct chore *chore = make(kind, "ann", 0);
	int64_t now_ms = 1000;
	int tries = 1;

	while (chore_may_retry(chore, now_ms)) {
		assert_true(chore->due_ms > now_ms);
		now_ms = chore->due_ms;
		tries++;
	}
	assert_true(now_ms - 1000 <= total_ms && now_ms - 1000 > total_ms * 9 / 10);
	assert_in_range(tries, tries_min, tries_max);
}

static void test_patience(void **state)
{
	(void)state;
	check_patience(CHORE_KICK, CHORE_KICK_MS, 30, 40);
	check_patience(CHORE_WARN, CHORE_WARN_MS, 60, 70);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),        cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_renews), cmocka_unit_test(test_full),
		cmocka_unit_test(test_patience),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
