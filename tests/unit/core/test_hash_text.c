#include "../table.h"

#include "core/hash_text.h"

struct row {
	const char *label, *text;
	enum pw_hash_kind kind;
	const char *want;
};

static struct row rows[] = {
	{ "SHA-512", "$6$salt$abc", PW_HASH_NAMED, "{SHA512-CRYPT}$6$salt$abc" },
	{ "SHA-256", "$5$salt$abc", PW_HASH_NAMED, "{SHA256-CRYPT}$5$salt$abc" },
	{ "bcrypt of PHP", "$2y$10$abc", PW_HASH_NAMED, "{BLF-CRYPT}$2y$10$abc" },
	{ "bcrypt of others", "$2b$10$abc", PW_HASH_NAMED, "{BLF-CRYPT}$2b$10$abc" },
	{ "yescrypt", "$y$j9T$abc", PW_HASH_NAMED, "{CRYPT}$y$j9T$abc" },
	{ "Argon2id", "$argon2id$v=19$m=1,t=1,p=1$a$b", PW_HASH_NAMED,
	  "{ARGON2ID}$argon2id$v=19$m=1,t=1,p=1$a$b" },
	{ "named already", "{BLF-CRYPT}$2y$10$abc", PW_HASH_NAMED,
	  "{BLF-CRYPT}$2y$10$abc" },
	{ "small letters", "{ssha512}abc=", PW_HASH_NAMED, "{SSHA512}abc=" },
	{ "CRYPT by what follows", "{CRYPT}$5$salt$abc", PW_HASH_NAMED,
	  "{SHA256-CRYPT}$5$salt$abc" },
	{ "nothing", "", PW_HASH_NONE, "" },
	{ "locked by a star", "*", PW_HASH_NONE, "" },
	{ "locked by shadow", "!$6$salt$abc", PW_HASH_NONE, "" },
	{ "locked with a scheme", "{SHA512-CRYPT}!", PW_HASH_NONE, "" },
	{ "scheme alone", "{SHA512-CRYPT}", PW_HASH_NONE, "" },
	{ "DES", "abJnggxhB/yWI", PW_HASH_DES, "" },
	{ "DES of the pgcrypto trap", "$6WXuMaSVnzYM", PW_HASH_DES, "" },
	{ "DES trap with a scheme", "{CRYPT}$6WXuMaSVnzYM", PW_HASH_DES, "" },
	{ "DES-CRYPT", "{DES-CRYPT}abJnggxhB/yWI", PW_HASH_DES, "" },
	{ "MD5-CRYPT", "$1$salt$abc", PW_HASH_WEAK, "" },
	{ "{CRYPT} of MD5", "{CRYPT}$1$salt$abc", PW_HASH_WEAK, "" },
	{ "MD5 in hex", "5f4dcc3b5aa765d61d8327deb882cf99", PW_HASH_WEAK, "" },
	{ "SSHA", "{SSHA}abc=", PW_HASH_WEAK, "" },
	{ "clear text", "{PLAIN}secret", PW_HASH_CLEAR, "" },
	{ "anything", "secret", PW_HASH_UNKNOWN, "" },
	{ "unknown scheme", "{ROT13}frperg", PW_HASH_UNKNOWN, "" },
	{ "open brace", "{SHA512-CRYPT$6$s$h", PW_HASH_UNKNOWN, "" },
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	enum pw_hash_kind kind = pw_hash_name(&got, pw_str_from(row->text));

	assert_int_equal(kind, row->kind);
	assert_string_equal(pw_buf_text(&got), row->want);
	if (kind != PW_HASH_NAMED)
		assert_string_not_equal(pw_hash_kind_text(kind), "");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
