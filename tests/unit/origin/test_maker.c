#include "../table.h"

#include <string.h>

#include "core/stamp_digest.h"
#include "origin/stamp/maker.h"

#define NOW 1780000000

static void parse_keys(struct pw_stamp_keys *keys, const char *dates)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 }, file = { 0 };

	pw_buf_printf(&file, "b2bc5b6f %s AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
	              dates);
	assert_int_equal(pw_stamp_keys_parse(keys, pw_buf_str(&file), &why), PW_OK);
}

static void make(struct maker *maker, struct pw_buf *out)
{
	struct pw_origin origin = { .helo = PW_STR("client"),
		                    .protocol = PW_STR("ESMTP"),
		                    .port = 1 };

	assert_int_equal(pw_ip_parse(&origin.address, PW_STR("192.0.2.7")), PW_OK);
	assert_int_equal(maker_begin(maker, PW_STR("<>"), NOW), PW_OK);
	maker_recipient(maker, PW_STR("<bob@example.test>"));
	maker_field(maker, PW_STR("From"), PW_STR(" a@b"));
	maker_field(maker, PW_STR("Subject"), PW_STR(" x"));
	maker_body(maker, PW_STR("body\r\n\r\n"));
	assert_int_equal(maker_finish(maker, out, &origin, PW_STR("QID"), NOW), PW_OK);
}

static void check_made(void **state)
{
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(maker_free) struct maker *maker = NULL;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_stamp_digest_free) struct pw_stamp_digest *digest = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf first = { 0 }, second = { 0 };
	enum pw_stamp_verdict verdict;
	struct pw_stamp got, again;
	uint8_t want[PW_STAMP_DIGEST];
	uint32_t fields;

	(void)state;
	parse_keys(&keys, "2026-01-01 2027-01-01");
	assert_int_equal(maker_new(&maker, &keys, PW_STR("mx.example.test")), PW_OK);
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_stamp_digest_new(&digest), PW_OK);
	make(maker, &first);
	make(maker, &second);
	assert_int_equal(
		pw_stamp_read(&verdict, &got, arena, &keys, pw_buf_str(&first), NOW),
		PW_OK);
	assert_int_equal(verdict, PW_STAMP_GOOD);
	assert_true(pw_stamp_is_sender(&got, PW_STR("")));
	assert_true(pw_stamp_is_recipient(&got, PW_STR("bob@example.test")));
	assert_true(pw_str_eq(got.facts.queue_id, PW_STR("QID")));
	pw_stamp_digest_begin(digest, got.fields);
	pw_stamp_digest_field(digest, PW_STR("Received"), PW_STR(" x"));
	pw_stamp_digest_field(digest, PW_STR("From"), PW_STR(" a@b"));
	pw_stamp_digest_field(digest, PW_STR("Subject"), PW_STR(" x"));
	pw_stamp_digest_body(digest, PW_STR("body\r\n"));
	assert_int_equal(pw_stamp_digest_end(digest, want, &fields), PW_OK);
	assert_memory_equal(want, got.digest, sizeof(want));
	assert_int_equal(
		pw_stamp_read(&verdict, &again, arena, &keys, pw_buf_str(&second), NOW),
		PW_OK);
	assert_int_equal(verdict, PW_STAMP_GOOD);
	assert_memory_not_equal(got.nonce, again.nonce, sizeof(got.nonce));
}

/* A message that could not go inside goes into the queue, with the same stamp. */
static void check_made_twice(void **state)
{
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(maker_free) struct maker *maker = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf first = { 0 }, again = { 0 };
	struct pw_origin origin = { .helo = PW_STR("client"),
		                    .protocol = PW_STR("ESMTP"),
		                    .port = 1 };

	(void)state;
	parse_keys(&keys, "2026-01-01 2027-01-01");
	assert_int_equal(maker_new(&maker, &keys, PW_STR("mx.example.test")), PW_OK);
	make(maker, &first);
	assert_int_equal(pw_ip_parse(&origin.address, PW_STR("192.0.2.7")), PW_OK);
	assert_int_equal(maker_finish(maker, &again, &origin, PW_STR("QID"), NOW), PW_OK);
	assert_string_equal(pw_buf_text(&first), pw_buf_text(&again));
}

static void check_no_key(void **state)
{
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(maker_free) struct maker *maker = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_origin origin = { 0 };

	(void)state;
	parse_keys(&keys, "2020-01-01 2021-01-01");
	assert_int_equal(maker_new(&maker, &keys, PW_STR("mx")), PW_OK);
	assert_int_equal(maker_begin(maker, PW_STR("a@b.test"), NOW), PW_ERR_NOTFOUND);
	maker_recipient(maker, PW_STR("<bob@example.test>"));
	maker_field(maker, PW_STR("From"), PW_STR(" a@b"));
	maker_body(maker, PW_STR("body\r\n"));
	assert_int_equal(maker_finish(maker, &out, &origin, PW_STR(""), NOW),
	                 PW_ERR_STATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_made),
		cmocka_unit_test(check_made_twice),
		cmocka_unit_test(check_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
