/* Keys that the next snapshot still has are the same ones; others go. */
#include "../table.h"

#include "dkim/keystore.h"

#define TEXT PW_STR("the text of a key")

static struct keystore *store;

static void keep(struct pw_str text)
{
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;

	assert_int_equal(pw_dkim_key_make(&key, PW_DKIM_ED25519_SHA256), PW_OK);
	assert_int_equal(keystore_keep(store, PW_DKIM_ED25519_SHA256, text, key), PW_OK);
}

static bool has(enum pw_dkim_algorithm algorithm, struct pw_str text)
{
	PW_AUTO(pw_dkim_key_free)
	struct pw_dkim_key *key = keystore_find(store, algorithm, text);
	PW_AUTO(pw_buf_done) struct pw_buf record = { 0 };

	return key && pw_dkim_key_record(key, &record) == PW_OK;
}

static void found_in_this_snapshot_and_the_next(void **state)
{
	(void)state;
	keep(TEXT);
	for (int snapshot = 0; snapshot < 3; snapshot++) {
		assert_true(has(PW_DKIM_ED25519_SHA256, TEXT));
		assert_true(has(PW_DKIM_ED25519_SHA256, TEXT));
		assert_int_equal(keystore_turn(store), PW_OK);
	}
}

static void gone_when_a_snapshot_did_not_have_it(void **state)
{
	(void)state;
	keep(TEXT);
	assert_int_equal(keystore_turn(store), PW_OK);
	assert_int_equal(keystore_turn(store), PW_OK);
	assert_false(has(PW_DKIM_ED25519_SHA256, TEXT));
}

static void another_text_or_kind_is_another_key(void **state)
{
	(void)state;
	keep(TEXT);
	assert_false(has(PW_DKIM_RSA_SHA256, TEXT));
	assert_false(has(PW_DKIM_ED25519_SHA256, PW_STR("the text of a kez")));
}

static void whoever_has_it_keeps_it(void **state)
{
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf signature = { 0 };

	(void)state;
	keep(TEXT);
	key = keystore_find(store, PW_DKIM_ED25519_SHA256, TEXT);
	assert_int_equal(keystore_turn(store), PW_OK);
	assert_int_equal(keystore_turn(store), PW_OK);
	assert_int_equal(pw_dkim_key_sign(key, PW_STR("x"), &signature), PW_OK);
}

static int set_up(void **state)
{
	static const uint8_t seed[16] = { 1 };

	(void)state;
	assert_int_equal(keystore_new(&store, seed), PW_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	keystore_free(&store);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(found_in_this_snapshot_and_the_next),
		TEST(gone_when_a_snapshot_did_not_have_it),
		TEST(another_text_or_kind_is_another_key),
		TEST(whoever_has_it_keeps_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
