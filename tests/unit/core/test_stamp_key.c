#include "../table.h"

#include <string.h>

#include "core/stamp_key.h"

#define ONES "e98e177d"
#define ONES_64 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define COUNT "b2bc5b6f"
#define COUNT_64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define DATES " 2026-01-01T00:00:00Z 2027-01-01T00:00:00Z "

struct row {
	const char *label, *file;
	enum pw_status status;
	size_t count;
	const char *why;
};

static struct row rows[] = {
	{ "empty", "", PW_OK, 0, "" },
	{ "comments", "# keys\n\n  # more\n", PW_OK, 0, "" },
	{ "one", ONES DATES ONES_64 "\n", PW_OK, 1, "" },
	{ "no line end, comment behind", ONES DATES ONES_64 " # edge", PW_OK, 1, "" },
	{ "CRLF, tabs", ONES "\t2026-01-01\t2027-01-01T00:00:00Z\t" ONES_64 "\r\n", PW_OK,
	  1, "" },
	{ "two", ONES DATES ONES_64 "\n" COUNT DATES COUNT_64 "\n", PW_OK, 2, "" },
	{ "twice", ONES DATES ONES_64 "\n\n" ONES DATES ONES_64 "\n", PW_ERR_SYNTAX, 0,
	  "line 3: a key that stands here twice" },
	{ "id of another", COUNT DATES ONES_64 "\n", PW_ERR_SYNTAX, 0,
	  "line 1: the id does not belong to the key" },
	{ "short key", ONES DATES "AQEB\n", PW_ERR_SYNTAX, 0,
	  "line 1: the key is not base64 of 32 bytes" },
	{ "a word missing", ONES " 2026-01-01 " ONES_64 "\n", PW_ERR_SYNTAX, 0,
	  "line 1: not of four words" },
	{ "a word more", ONES DATES ONES_64 " x\n", PW_ERR_SYNTAX, 0,
	  "line 1: not of four words" },
	{ "no such day", ONES " 2026-02-29 2027-01-01 " ONES_64 "\n", PW_ERR_SYNTAX, 0,
	  "line 1: no date like 2026-11-30T00:00:00Z" },
	{ "date in seconds", ONES " 1780000000 2027-01-01 " ONES_64 "\n", PW_ERR_SYNTAX,
	  0, "line 1: no date like 2026-11-30T00:00:00Z" },
	{ "ends before it begins", ONES " 2027-01-01 2026-01-01 " ONES_64 "\n",
	  PW_ERR_SYNTAX, 0, "line 1: its time ends before it begins" },
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	assert_int_equal(pw_stamp_keys_parse(&keys, pw_str_from(row->file), &why),
	                 row->status);
	assert_int_equal(keys.count, row->count);
	assert_string_equal(pw_buf_text(&why), row->why);
}

/* Made with Python's hmac after RFC 5869. */
static void check_derivation(void **state)
{
	static const uint8_t mac[] = { 0x78, 0xae, 0x19, 0xed, 0x49, 0xe6, 0x27, 0xb0,
		                       0x02, 0x9d, 0x75, 0x69, 0xa1, 0x91, 0x1a, 0x1b,
		                       0x0a, 0x60, 0xc7, 0xb0, 0x23, 0x2a, 0x65, 0x07,
		                       0x3f, 0x69, 0x38, 0x41, 0x69, 0x07, 0xb4, 0xc7 };
	static const uint8_t addr[] = { 0x61, 0x09, 0x7f, 0x50, 0x69, 0x0d, 0xbd, 0x11,
		                        0xfc, 0xa1, 0xa8, 0x2a, 0x66, 0xf5, 0x62, 0xcf,
		                        0x96, 0xb0, 0xf7, 0x31, 0x4a, 0x57, 0x5e, 0x76,
		                        0xa4, 0x1a, 0xe2, 0x58, 0x60, 0x2d, 0x8c, 0xb1 };
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	(void)state;
	assert_int_equal(
		pw_stamp_keys_parse(&keys, PW_STR(COUNT DATES COUNT_64 "\n"), &why),
		PW_OK);
	assert_memory_equal(keys.keys[0].mac, mac, sizeof(mac));
	assert_memory_equal(keys.keys[0].addr, addr, sizeof(addr));
}

static void check_line(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	uint8_t raw[PW_STAMP_KEY_BYTES];

	(void)state;
	memset(raw, 1, sizeof(raw));
	/* 2024-02-29 23:59:59, 2100-03-01 */
	assert_int_equal(pw_stamp_key_put_line(&out, raw, 1709251199, 4107542400), PW_OK);
	assert_string_equal(pw_buf_text(&out), ONES
	                    " 2024-02-29T23:59:59Z 2100-03-01T00:00:00Z " ONES_64 "\n");
}

/* ONES: seconds 86400 to 172800; COUNT: 129600 to 259200. */
static const char rotated[] = ONES " 1970-01-02 1970-01-03 " ONES_64 "\n" COUNT
				   " 1970-01-02T12:00:00Z 1970-01-04 " COUNT_64 "\n";

struct time_row {
	const char *label;
	int64_t now_s;
	const char *signer;
	bool ones_valid, count_valid;
};

static struct time_row time_rows[] = {
	{ "before all", 86000, NULL, false, false },
	{ "the other clock is ahead", 86100, NULL, true, false },
	{ "the first begins", 86400, ONES, true, false },
	{ "the second is near", 129599, ONES, true, true },
	{ "the second begins", 129600, COUNT, true, true },
	{ "the first is over, its stamps are in queues", 172801, COUNT, true, true },
	{ "eight days later", 172800 + 8 * 86400, NULL, true, true },
	{ "and a second", 172801 + 8 * 86400, NULL, false, true },
	{ "all over", 259201 + 8 * 86400, NULL, false, false },
};

static void check_time(void **state)
{
	const struct time_row *row = *state;
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	const struct pw_stamp_key *key;

	assert_int_equal(pw_stamp_keys_parse(&keys, PW_STR(rotated), &why), PW_OK);
	key = pw_stamp_keys_signer(&keys, row->now_s);
	assert_string_equal(key ? key->id : "", row->signer ? row->signer : "");
	key = pw_stamp_keys_find(&keys, PW_STR(ONES));
	assert_int_equal(pw_stamp_key_is_valid(key, row->now_s), row->ones_valid);
	key = pw_stamp_keys_find(&keys, PW_STR(COUNT));
	assert_int_equal(pw_stamp_key_is_valid(key, row->now_s), row->count_valid);
	assert_null(pw_stamp_keys_find(&keys, PW_STR("00000000")));
}

int main(void)
{
	enum { ROWS = PW_LEN(rows), TIMES = PW_LEN(time_rows) };
	struct CMUnitTest tests[ROWS + TIMES + 2] = {
		[ROWS + TIMES] = cmocka_unit_test(check_derivation),
		[ROWS + TIMES + 1] = cmocka_unit_test(check_line),
	};

	PW_TABLE_TESTS(tests, 0, rows, check);
	PW_TABLE_TESTS(tests, ROWS, time_rows, check_time);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
