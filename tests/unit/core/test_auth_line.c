#include "../table.h"

#include <string.h>

#include "core/auth_line.h"

struct row {
	const char *label;
	struct pw_auth_line line;
	const char *text; /* as put writes it, without LF */
};

#define ANN PW_STR("ann@example.test")
#define CLIENT PW_STR("192.0.2.7")

static struct row rows[] = {
	{ "ask",
	  { .kind = PW_AUTH_ASK,
	    .id = 17,
	    .login = ANN,
	    .remote = CLIENT,
	    .service = PW_STR("imap") },
	  "ask\t17\tann@example.test\t192.0.2.7\timap" },
	{ "ask, address not known",
	  { .kind = PW_AUTH_ASK, .login = ANN, .service = PW_STR("imap") },
	  "ask\t0\tann@example.test\t-\timap" },
	{ "ok", { .kind = PW_AUTH_OK, .id = INT64_MAX }, "ok\t9223372036854775807" },
	{ "refuse",
	  { .kind = PW_AUTH_REFUSE, .id = 3, .seconds = 600 },
	  "refuse\t3\t600" },
	{ "report of a success",
	  { .kind = PW_AUTH_REPORT,
	    .login = ANN,
	    .remote = PW_STR("2001:db8::7"),
	    .port = 65535,
	    .service = PW_STR("smtp"),
	    .result = PW_AUTH_SUCCESS,
	    .credential = 12,
	    .session = PW_STR("kTQ3xs5p") },
	  "report\tann@example.test\t2001:db8::7\t65535\tsmtp\tsuccess\t12\tkTQ3xs5p" },
	{ "report of a failure, little known",
	  { .kind = PW_AUTH_REPORT, .result = PW_AUTH_FAILURE, .credential = -1 },
	  "report\t-\t-\t0\t-\tfailure\t-1\t-" },
	{ "report with the hash of a password",
	  { .kind = PW_AUTH_REPORT,
	    .login = ANN,
	    .result = PW_AUTH_FAILURE,
	    .credential = -1,
	    .password = 4096 },
	  "report\tann@example.test\t-\t0\t-\tfailure\t-1\t-\t4096" },
	{ "report of an unknown login",
	  { .kind = PW_AUTH_REPORT, .login = PW_STR("eve"), .result = PW_AUTH_UNKNOWN },
	  "report\teve\t-\t0\t-\tunknown\t0\t-" },
	{ "report of one refused",
	  { .kind = PW_AUTH_REPORT, .login = ANN, .result = PW_AUTH_REFUSED },
	  "report\tann@example.test\t-\t0\t-\trefused\t0\t-" },
	{ "flush", { .kind = PW_AUTH_FLUSH, .login = ANN }, "flush\tann@example.test" },
	{ "flush all",
	  { .kind = PW_AUTH_FLUSH, .login = PW_STR(PW_AUTH_EVERYBODY) },
	  "flush\t*" },
	{ "bytes that would break a line",
	  { .kind = PW_AUTH_FLUSH, .login = PW_STR("a\tb\nc+d=\xff") },
	  "flush\ta+09b+0Ac+2Bd+3D+FF" },
	{ "NUL", { .kind = PW_AUTH_FLUSH, .login = PW_STR("a\0b") }, "flush\ta+00b" },
	{ "a text that looks empty",
	  { .kind = PW_AUTH_FLUSH, .login = PW_STR("-") },
	  "flush\t+2D" },
};

static void assert_str(struct pw_str got, struct pw_str want)
{
	assert_int_equal(got.len, want.len);
	if (want.len > 0)
		assert_memory_equal(got.at, want.at, want.len);
}

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, scratch = { 0 };
	struct pw_auth_line back;

	assert_int_equal(pw_auth_line_put(&text, &row->line), PW_OK);
	assert_int_equal(text.at[text.len - 1], '\n');
	pw_buf_truncate(&text, text.len - 1);
	assert_string_equal(pw_buf_text(&text), row->text);
	assert_int_equal(pw_auth_line_parse(&back, pw_buf_str(&text), &scratch), PW_OK);
	assert_int_equal(back.kind, row->line.kind);
	assert_int_equal(back.result, row->line.result);
	assert_int_equal(back.id, row->line.id);
	assert_int_equal(back.seconds, row->line.seconds);
	assert_int_equal(back.port, row->line.port);
	assert_int_equal(back.credential, row->line.credential);
	assert_int_equal(back.password, row->line.password);
	assert_str(back.login, row->line.login);
	assert_str(back.remote, row->line.remote);
	assert_str(back.service, row->line.service);
	assert_str(back.session, row->line.session);
}

struct bad_row {
	const char *label;
	struct pw_str text;
	enum pw_status status;
};

static struct bad_row bad_rows[] = {
	{ "nothing", PW_STR(""), PW_ERR_SYNTAX },
	{ "the greeting", PW_STR(PW_AUTH_GREETING), PW_ERR_SYNTAX },
	{ "another word", PW_STR("asks\t1\ta\t-\timap"), PW_ERR_SYNTAX },
	{ "word in capitals", PW_STR("OK\t1"), PW_ERR_SYNTAX },
	{ "a field missing", PW_STR("ask\t1\ta\t-"), PW_ERR_SYNTAX },
	{ "a field too many", PW_STR("ok\t1\t2"), PW_ERR_SYNTAX },
	{ "an empty field", PW_STR("flush\t"), PW_ERR_SYNTAX },
	{ "an empty field at the end", PW_STR("ok\t1\t"), PW_ERR_SYNTAX },
	{ "no number", PW_STR("ok\tone"), PW_ERR_SYNTAX },
	{ "empty number", PW_STR("ok\t-"), PW_ERR_SYNTAX },
	{ "negative id", PW_STR("ok\t-1"), PW_ERR_RANGE },
	{ "id beyond int64", PW_STR("ok\t9223372036854775808"), PW_ERR_RANGE },
	{ "port too high", PW_STR("report\ta\t-\t65536\t-\tsuccess\t0\t-"),
	  PW_ERR_RANGE },
	{ "credential too low", PW_STR("report\ta\t-\t0\t-\tsuccess\t-2\t-"),
	  PW_ERR_RANGE },
	{ "no such result", PW_STR("report\ta\t-\t0\t-\tgood\t0\t-"), PW_ERR_SYNTAX },
	{ "hash of a password too great",
	  PW_STR("report\ta\t-\t0\t-\tfailure\t0\t-\t4097"), PW_ERR_RANGE },
	{ "hash of a password none", PW_STR("report\ta\t-\t0\t-\tfailure\t0\t-\t0"),
	  PW_ERR_RANGE },
	{ "a field after the hash", PW_STR("report\ta\t-\t0\t-\tfailure\t0\t-\t1\t1"),
	  PW_ERR_SYNTAX },
	{ "the greeting of before", PW_STR(PW_AUTH_GREETING_1), PW_ERR_SYNTAX },
	{ "raw blank", PW_STR("flush\ta b"), PW_ERR_SYNTAX },
	{ "half a byte", PW_STR("flush\ta+2"), PW_ERR_SYNTAX },
	{ "carriage return", PW_STR("ok\t1\r"), PW_ERR_SYNTAX },
};

static void check_bad(void **state)
{
	const struct bad_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf scratch = { 0 };
	struct pw_auth_line line = { .id = 77 };

	assert_int_equal(pw_auth_line_parse(&line, row->text, &scratch), row->status);
	assert_int_equal(line.id, 77);
}

static void check_longest(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, scratch = { 0 };
	char bytes[4000];
	const struct pw_str much = { bytes, sizeof(bytes) };
	struct pw_auth_line line = { .kind = PW_AUTH_REPORT,
		                     .port = INT64_MAX,
		                     .credential = INT64_MAX,
		                     .login = much,
		                     .remote = much,
		                     .service = much,
		                     .session = much };

	(void)state;
	memset(bytes, '=', sizeof(bytes));
	assert_int_equal(pw_auth_line_put(&text, &line), PW_OK);
	assert_in_range(text.len, 1500, PW_AUTH_LINE_MAX);
	assert_int_equal(
		pw_auth_line_parse(&line, pw_str_sub(pw_buf_str(&text), 0, text.len - 1),
	                           &scratch),
		PW_OK);
	assert_str(line.login, (struct pw_str){ bytes, 333 });
	assert_int_equal(line.port, 65535);
}

/* An address of the greatest length allowed is never cut. */
static void check_longest_login(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, scratch = { 0 };
	char bytes[320];
	struct pw_auth_line line = { .kind = PW_AUTH_FLUSH, .login = { bytes, 320 } };

	(void)state;
	memset(bytes, '\xff', sizeof(bytes));
	assert_int_equal(pw_auth_line_put(&text, &line), PW_OK);
	assert_int_equal(
		pw_auth_line_parse(&line, pw_str_sub(pw_buf_str(&text), 0, text.len - 1),
	                           &scratch),
		PW_OK);
	assert_str(line.login, (struct pw_str){ bytes, 320 });
}

static void check_too_long(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf scratch = { 0 };
	struct pw_auth_line line;
	char bytes[PW_AUTH_LINE_MAX];

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes, "flush\t", 6);
	assert_int_equal(pw_auth_line_parse(&line,
	                                    (struct pw_str){ bytes, sizeof(bytes) },
	                                    &scratch),
	                 PW_ERR_LIMIT);
	assert_int_equal(pw_auth_line_parse(&line,
	                                    (struct pw_str){ bytes, sizeof(bytes) - 1 },
	                                    &scratch),
	                 PW_OK);
}

static const uint8_t nonce[PW_AUTH_NONCE_LEN] = { 0xab, 0x01, [15] = 0xff };
#define NONCE "ab0100000000000000000000000000ff"

static struct bad_row greetings[] = {
	{ "greeting", PW_STR(PW_AUTH_GREETING "\t" NONCE), PW_OK },
	{ "greeting of version 1", PW_STR(PW_AUTH_GREETING_1), PW_ERR_SYNTAX },
	{ "greeting without a nonce", PW_STR(PW_AUTH_GREETING), PW_ERR_SYNTAX },
	{ "greeting of another version", PW_STR("postward-auth\t3\t" NONCE),
	  PW_ERR_SYNTAX },
	{ "greeting with a short nonce", PW_STR(PW_AUTH_GREETING "\tab01"),
	  PW_ERR_SYNTAX },
	{ "greeting with a long nonce", PW_STR(PW_AUTH_GREETING "\t" NONCE "0"),
	  PW_ERR_SYNTAX },
	{ "greeting with a nonce in capitals",
	  PW_STR(PW_AUTH_GREETING "\tAB0100000000000000000000000000ff"), PW_ERR_SYNTAX },
};

static void check_greeting(void **state)
{
	const struct bad_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	uint8_t got[PW_AUTH_NONCE_LEN] = { 0 };

	assert_int_equal(pw_auth_greeting_parse(got, row->text), row->status);
	if (row->status != PW_OK) {
		assert_int_equal(got[0], 0);
		return;
	}
	assert_memory_equal(got, nonce, sizeof(nonce));
	pw_auth_greeting_put(&text, got);
	assert_str(pw_buf_str(&text), row->text);
}

static int64_t hash_of(const uint8_t *key, struct pw_str login, struct pw_str password)
{
	int64_t hash = 0;

	assert_int_equal(pw_auth_password(&hash, key, login, password), PW_OK);
	assert_in_range(hash, 1, PW_AUTH_PASSWORD_MAX);
	return hash;
}

/* The same for the same, and different where login, password or nonce is. */
static void check_passwords(void **state)
{
	static const uint8_t other[PW_AUTH_NONCE_LEN] = { 0xac };
	int64_t hash = hash_of(nonce, ANN, PW_STR("secret"));

	(void)state;
	assert_int_equal(hash, hash_of(nonce, ANN, PW_STR("secret")));
	assert_int_not_equal(hash, hash_of(nonce, ANN, PW_STR("secret2")));
	assert_int_not_equal(
		hash, hash_of(nonce, PW_STR("bob@example.test"), PW_STR("secret")));
	assert_int_not_equal(hash, hash_of(other, ANN, PW_STR("secret")));
	assert_int_not_equal(hash_of(nonce, PW_STR("a"), PW_STR("bc")),
	                     hash_of(nonce, PW_STR("ab"), PW_STR("c")));
	assert_in_range(hash_of(nonce, PW_STR(""), PW_STR("")), 1, PW_AUTH_PASSWORD_MAX);
}

int main(void)
{
	enum {
		GOOD = PW_LEN(rows),
		BAD = PW_LEN(bad_rows),
		MORE = GOOD + BAD + 4,
		GREETINGS = PW_LEN(greetings)
	};
	struct CMUnitTest tests[MORE + GREETINGS] = {
		[GOOD + BAD] = cmocka_unit_test(check_longest),
		[GOOD + BAD + 1] = cmocka_unit_test(check_longest_login),
		[GOOD + BAD + 2] = cmocka_unit_test(check_too_long),
		[GOOD + BAD + 3] = cmocka_unit_test(check_passwords),
	};

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	PW_TABLE_TESTS(tests, GOOD, bad_rows, check_bad);
	PW_TABLE_TESTS(tests, MORE, greetings, check_greeting);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
