#include "../table.h"

#include <string.h>

#include "origin/fallback/digest.h"

static const uint8_t secret[LEDGER_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static struct ledger_key key_of(const uint8_t *under, const char *sender,
                                const char *header, const char *body, size_t step)
{
	PW_AUTO(digest_done) struct digest digest = { 0 };
	struct pw_str h = pw_str_from(header), b = pw_str_from(body);

	for (int again = 0; again < 2; again++) { /* one message after another */
		digest_begin(&digest, under, pw_str_from(sender));
		for (size_t at = 0; at < h.len; at += step)
			digest_put(&digest, pw_str_sub(h, at, step));
		digest_header_end(&digest);
		for (size_t at = 0; at < b.len; at += step)
			digest_put(&digest, pw_str_sub(b, at, step));
		assert_int_equal(digest_end(&digest), PW_OK);
	}
	return digest.key;
}

static bool same(const void *a, const void *b, size_t len)
{
	return memcmp(a, b, len) == 0;
}

struct row {
	const char *label, *sender, *header, *body;
	bool same_sender, same_header, same_whole;
};
static struct row rows[] = {
	{ "itself", "a@b", "A: 1\r\nB: 2\r\n", "body\r\n", true, true, true },
	{ "another sender", "a@c", "A: 1\r\nB: 2\r\n", "body\r\n", false, false, false },
	{ "another header", "a@b", "A: 1\r\nB: 3\r\n", "body\r\n", true, false, false },
	{ "another body", "a@b", "A: 1\r\nB: 2\r\n", "bode\r\n", true, true, false },
	{ "longer body", "a@b", "A: 1\r\nB: 2\r\n", "body\r\n\r\n", true, true, false },
	{ "a field moved into the body", "a@b", "A: 1\r\n", "B: 2\r\nbody\r\n", true,
	  false, false },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct ledger_key first =
		key_of(secret, "a@b", "A: 1\r\nB: 2\r\n", "body\r\n", 1000);

	for (size_t step = 1; step < 8; step++) {
		struct ledger_key key =
			key_of(secret, row->sender, row->header, row->body, step);

		assert_int_equal(same(key.sender, first.sender, sizeof(key.sender)),
		                 row->same_sender);
		assert_int_equal(same(key.header, first.header, sizeof(key.header)),
		                 row->same_header);
		assert_int_equal(same(key.whole, first.whole, sizeof(key.whole)),
		                 row->same_whole);
	}
}

static void another_secret_is_another_key(void **state)
{
	static const uint8_t other[LEDGER_KEY_BYTES] = "0";
	struct ledger_key a = key_of(secret, "a@b", "A: 1\r\n", "x", 9);
	struct ledger_key b = key_of(other, "a@b", "A: 1\r\n", "x", 9);

	(void)state;
	assert_false(same(a.sender, b.sender, sizeof(a.sender)));
	assert_false(same(a.header, b.header, sizeof(a.header)));
	assert_false(same(a.whole, b.whole, sizeof(a.whole)));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	tests[PW_LEN(rows)] =
		(struct CMUnitTest)cmocka_unit_test(another_secret_is_another_key);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
