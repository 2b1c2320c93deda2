#include "../table.h"

#include <string.h>

#include "core/xtext.h"

struct encode_row {
	const char *label, *raw, *encoded;
};

static struct encode_row encode_rows[] = {
	{ "plain", "mail.example.org", "mail.example.org" },
	{ "empty", "", "" },
	{ "plus and equals", "a+b=c", "a+2Bb+3Dc" },
	{ "blank, tab and line end", " \t\r\n", "+20+09+0D+0A" },
	{ "UTF-8", "m\xc3\xbc", "m+C3+BC" },
	{ "brackets stay", "[UNAVAILABLE]", "[UNAVAILABLE]" },
	{ "edges of the plain range", "!~\x7f", "!~+7F" },
};

static void check_encode(void **state)
{
	const struct encode_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 }, back = { 0 };

	pw_xtext_encode(&out, pw_str_from(row->raw));
	assert_string_equal(pw_buf_text(&out), row->encoded);
	assert_int_equal(pw_xtext_decode(&back, pw_buf_str(&out)), PW_OK);
	assert_string_equal(pw_buf_text(&back), row->raw);
}

struct decode_row {
	const char *label, *text;
	enum pw_status status;
	const char *raw;
};

static struct decode_row decode_rows[] = {
	{ "lower-case hex", "a+2bb", PW_OK, "a+b" },
	{ "hex of a plain byte", "+41", PW_OK, "A" },
	{ "lone plus", "a+", PW_ERR_SYNTAX, "a" },
	{ "one digit", "a+2", PW_ERR_SYNTAX, "a" },
	{ "no digits", "a+zz", PW_ERR_SYNTAX, "a" },
	{ "raw equals", "a=b", PW_ERR_SYNTAX, "a" },
	{ "raw blank", "a b", PW_ERR_SYNTAX, "a" },
	{ "raw UTF-8", "\xc3\xbc", PW_ERR_SYNTAX, "" },
};

static void check_decode(void **state)
{
	const struct decode_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	assert_int_equal(pw_xtext_decode(&out, pw_str_from(row->text)), row->status);
	assert_string_equal(pw_buf_text(&out), row->raw);
}

struct limit_row {
	const char *label, *raw;
	size_t max, used;
	const char *encoded;
};

static struct limit_row limit_rows[] = {
	{ "fits exactly", "a+b", 5, 3, "a+2Bb" },
	{ "one too many", "a+b", 4, 2, "a+2B" },
	{ "never splits a hex pair", "a+b", 3, 1, "a" },
	{ "nothing fits", "+", 2, 0, "" },
};

static void check_limit(void **state)
{
	const struct limit_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	assert_int_equal(pw_xtext_encode_max(&out, pw_str_from(row->raw), row->max),
	                 row->used);
	assert_string_equal(pw_buf_text(&out), row->encoded);
}

int main(void)
{
	enum { ENCODE = PW_LEN(encode_rows), DECODE = PW_LEN(decode_rows) };
	struct CMUnitTest tests[ENCODE + DECODE + PW_LEN(limit_rows)];

	PW_TABLE_TESTS(tests, 0, encode_rows, check_encode);
	PW_TABLE_TESTS(tests, ENCODE, decode_rows, check_decode);
	PW_TABLE_TESTS(tests, ENCODE + DECODE, limit_rows, check_limit);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
