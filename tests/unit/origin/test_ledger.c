#include "../table.h"

#include <string.h>

#include "origin/fallback/ledger.h"

#define SLOTS 8
#define NOW_MS 1000000

static const uint8_t secret[LEDGER_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const uint32_t rcpts[] = { 11, 22 };

static struct ledger_key key_of(char sender, char header, char whole)
{
	struct ledger_key key;

	memset(key.sender, sender, sizeof(key.sender));
	memset(key.header, header, sizeof(key.header));
	memset(key.whole, whole, sizeof(key.whole));
	return key;
}

static const uint8_t *id_of(char c)
{
	static uint8_t id[LEDGER_ID_BYTES];

	memset(id, c, sizeof(id));
	return id;
}

static void *new_block(size_t slots)
{
	void *block = malloc(ledger_bytes(slots));

	assert_non_null(block);
	return block;
}

static size_t enter(struct ledger *ledger, char c, int64_t now_ms)
{
	struct ledger_key key = key_of(c, c, c);

	return ledger_enter(ledger, &key, id_of(c), rcpts, 2, now_ms);
}

static bool finds(struct ledger *ledger, char c, int64_t now_ms)
{
	struct ledger_key key = key_of(c, c, c);
	uint8_t id[LEDGER_ID_BYTES];

	if (!ledger_find(ledger, &key, id, now_ms))
		return false;
	assert_memory_equal(id, id_of(c), sizeof(id));
	return true;
}

static void only_doubt_is_found(void **state)
{
	void *block = new_block(SLOTS);
	struct ledger ledger;
	struct ledger_key key;
	size_t slot;

	(void)state;
	ledger_format(&ledger, block, ledger_bytes(SLOTS), secret);
	slot = enter(&ledger, 'a', NOW_MS);
	assert_false(finds(&ledger, 'a', NOW_MS));
	ledger_doubt(&ledger, slot);
	assert_true(finds(&ledger, 'a', NOW_MS));
	assert_false(finds(&ledger, 'b', NOW_MS));
	key = key_of('a', 'x', 'x');
	assert_true(ledger_has_sender(&ledger, &key, NOW_MS));
	assert_false(ledger_has_header(&ledger, &key, NOW_MS));
	key = key_of('x', 'a', 'x');
	assert_false(ledger_has_sender(&ledger, &key, NOW_MS));
	assert_true(ledger_has_header(&ledger, &key, NOW_MS));
	ledger_clear(&ledger, slot);
	assert_false(finds(&ledger, 'a', NOW_MS));
	free(block);
}

static void a_day_and_no_longer(void **state)
{
	void *block = new_block(SLOTS);
	struct ledger ledger;

	(void)state;
	ledger_format(&ledger, block, ledger_bytes(SLOTS), secret);
	ledger_doubt(&ledger, enter(&ledger, 'a', NOW_MS));
	assert_true(finds(&ledger, 'a', NOW_MS + LEDGER_AGE_MS));
	assert_true(finds(&ledger, 'a', NOW_MS - 5000));
	assert_false(finds(&ledger, 'a', NOW_MS + LEDGER_AGE_MS + 1));
	assert_int_equal(ledger.doubts, 0);
	free(block);
}

static void outlives_its_process(void **state)
{
	void *block = new_block(SLOTS);
	struct ledger ledger, next;
	size_t slot;

	(void)state;
	ledger_format(&ledger, block, ledger_bytes(SLOTS), secret);
	slot = enter(&ledger, 'c', NOW_MS);
	(void)enter(&ledger, 'a', NOW_MS); /* under way when it dies */
	ledger_doubt(&ledger, enter(&ledger, 'b', NOW_MS));
	ledger_clear(&ledger, slot);
	assert_int_equal(ledger_attach(&next, block, ledger_bytes(SLOTS)), PW_OK);
	assert_memory_equal(ledger_secret(&next), secret, sizeof(secret));
	assert_true(finds(&next, 'a', NOW_MS));
	assert_true(finds(&next, 'b', NOW_MS));
	assert_false(finds(&next, 'c', NOW_MS));
	assert_int_equal(next.doubts, 2);
	free(block);
}

static void the_oldest_doubt_makes_room(void **state)
{
	void *block = new_block(SLOTS);
	struct ledger ledger;

	(void)state;
	ledger_format(&ledger, block, ledger_bytes(SLOTS), secret);
	for (char c = 'a'; c < 'a' + SLOTS; c++)
		ledger_doubt(&ledger, enter(&ledger, c, NOW_MS + (c == 'd' ? -1 : 0)));
	ledger_doubt(&ledger, enter(&ledger, 'z', NOW_MS));
	assert_false(finds(&ledger, 'd', NOW_MS));
	assert_true(finds(&ledger, 'a', NOW_MS));
	assert_true(finds(&ledger, 'z', NOW_MS));
	free(block);
}

static void what_is_under_way_is_never_pushed_out(void **state)
{
	void *block = new_block(SLOTS);
	struct ledger ledger;

	(void)state;
	ledger_format(&ledger, block, ledger_bytes(SLOTS), secret);
	for (char c = 'a'; c < 'a' + SLOTS; c++)
		assert_int_not_equal(enter(&ledger, c, NOW_MS), LEDGER_NONE);
	assert_int_equal(enter(&ledger, 'z', NOW_MS), LEDGER_NONE);
	free(block);
}

static void settled_one_recipient_after_the_other(void **state)
{
	void *block = new_block(SLOTS);
	struct ledger_key key = key_of('a', 'a', 'a');
	struct ledger ledger;

	(void)state;
	ledger_format(&ledger, block, ledger_bytes(SLOTS), secret);
	ledger_doubt(&ledger, enter(&ledger, 'a', NOW_MS));
	ledger_settle(&ledger, &key, (const uint32_t[]){ 33, 11 }, 2);
	assert_true(finds(&ledger, 'a', NOW_MS));
	assert_int_equal(ledger_attach(&ledger, block, ledger_bytes(SLOTS)), PW_OK);
	assert_true(finds(&ledger, 'a', NOW_MS)); /* still whole */
	ledger_settle(&ledger, &key, (const uint32_t[]){ 22 }, 1);
	assert_false(finds(&ledger, 'a', NOW_MS));
	free(block);
}

static void many_recipients_stay_their_day(void **state)
{
	void *block = new_block(SLOTS);
	struct ledger_key key = key_of('a', 'a', 'a');
	uint32_t many[LEDGER_RCPTS_MAX + 5];
	struct ledger ledger;

	(void)state;
	for (uint32_t i = 0; i < PW_LEN(many); i++)
		many[i] = i;
	ledger_format(&ledger, block, ledger_bytes(SLOTS), secret);
	ledger_doubt(&ledger,
	             ledger_enter(&ledger, &key, id_of('a'), many, PW_LEN(many), NOW_MS));
	ledger_settle(&ledger, &key, many, PW_LEN(many));
	assert_true(finds(&ledger, 'a', NOW_MS));
	free(block);
}

static void what_is_not_whole_is_no_doubt(void **state)
{
	void *block = new_block(SLOTS);
	struct ledger ledger;

	(void)state;
	ledger_format(&ledger, block, ledger_bytes(SLOTS), secret);
	ledger_doubt(&ledger, enter(&ledger, 'a', NOW_MS));
	((char *)block)[ledger_bytes(0) + 50] ^= 1;
	assert_int_equal(ledger_attach(&ledger, block, ledger_bytes(SLOTS)), PW_OK);
	assert_int_equal(ledger.doubts, 0);
	((char *)block)[0] ^= 1;
	assert_int_equal(ledger_attach(&ledger, block, ledger_bytes(SLOTS)),
	                 PW_ERR_SYNTAX);
	((char *)block)[0] ^= 1;
	assert_int_equal(ledger_attach(&ledger, block, ledger_bytes(SLOTS) - 1),
	                 PW_ERR_SYNTAX);
	assert_int_equal(ledger_attach(&ledger, block, 10), PW_ERR_SYNTAX);
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_doubt_is_found),
		cmocka_unit_test(a_day_and_no_longer),
		cmocka_unit_test(outlives_its_process),
		cmocka_unit_test(the_oldest_doubt_makes_room),
		cmocka_unit_test(what_is_under_way_is_never_pushed_out),
		cmocka_unit_test(settled_one_recipient_after_the_other),
		cmocka_unit_test(many_recipients_stay_their_day),
		cmocka_unit_test(what_is_not_whole_is_no_doubt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
