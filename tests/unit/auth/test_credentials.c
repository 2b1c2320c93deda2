#include "../table.h"

#include <string.h>

#include "auth/credentials.h"

/* clang-format off */
static struct cost_row {
	const char *label, *hash;
	enum hash_cost cost;
} cost_rows[] = {
	{ "plain",                     "{PLAIN}x",                               HASH_FAST },
	{ "salted",                    "{SSHA512}AAAA",                          HASH_FAST },
	{ "small letters",             "{ssha512}AAAA",                          HASH_FAST },
	{ "with an encoding",          "{SSHA512.HEX}00",                        HASH_FAST },
	{ "plain that looks costly",   "{PLAIN}$6$rounds=999999999$",            HASH_FAST },
	{ "SHA512-CRYPT",              "{SHA512-CRYPT}$6$salt$hash",             HASH_SLOW },
	{ "rounds",                    "{SHA512-CRYPT}$6$rounds=1000000$s$h",    HASH_SLOW },
	{ "a round too many",          "{SHA512-CRYPT}$6$rounds=1000001$s$h",    HASH_TOO_SLOW },
	{ "all rounds there are",      "{CRYPT}$5$rounds=999999999$s$h",         HASH_TOO_SLOW },
	{ "rounds beyond numbers",     "{CRYPT}$6$rounds=99999999999999999999$", HASH_TOO_SLOW },
	{ "bcrypt",                    "{BLF-CRYPT}$2y$05$abc",                  HASH_SLOW },
	{ "bcrypt, costly",            "{BLF-CRYPT}$2y$15$abc",                  HASH_SLOW },
	{ "bcrypt, too costly",        "{BLF-CRYPT}$2y$16$abc",                  HASH_TOO_SLOW },
	{ "bcrypt as CRYPT",           "{CRYPT}$2b$31$abc",                      HASH_TOO_SLOW },
	{ "argon2",          "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$s$h",     HASH_SLOW },
	{ "argon2, memory",  "{ARGON2ID}$argon2id$v=19$m=9999999,t=3,p=1$s$h",   HASH_TOO_SLOW },
	{ "argon2, time",    "{ARGON2ID}$argon2id$v=19$m=65536,t=999,p=1$s$h",   HASH_TOO_SLOW },
	{ "SCRAM",                     "{SCRAM-SHA-256}4096,s,k,k",              HASH_SLOW },
	{ "SCRAM, iterations",         "{SCRAM-SHA-256}99999999,s,k,k",          HASH_TOO_SLOW },
	{ "SCRAM-SHA-1, iterations",   "{SCRAM-SHA-1}99999999,s,k,k",            HASH_TOO_SLOW },
	{ "PBKDF2",                    "{PBKDF2}$1$salt$5000$hash",              HASH_SLOW },
	{ "PBKDF2, rounds",            "{PBKDF2}$1$salt$9999999$hash",           HASH_TOO_SLOW },
	{ "PBKDF2, cut",               "{PBKDF2}$1$salt",                        HASH_SLOW },
	{ "unknown scheme",            "{NEW-ONE}x",                             HASH_SLOW },
	{ "no scheme",                 "$6$salt$hash",                           HASH_SLOW },
	{ "brace",                     "{",                                      HASH_SLOW },
	{ "nothing",                   "",                                       HASH_SLOW },
};

static struct judge_row {
	const char *label, *refusal;
	enum credential_verdict verdict;
	const char *reason;
} judge_rows[] = {
	{ "none",                NULL,                     CREDENTIAL_GOOD,     NULL },
	{ "disabled",            "disabled",               CREDENTIAL_DISABLED, NULL },
	{ "domain",              "domain disabled",        CREDENTIAL_DISABLED, NULL },
	{ "expired",             "expired",                CREDENTIAL_EXPIRED,  NULL },
	{ "suspended",           "suspended: unpaid bill", CREDENTIAL_DISABLED, "unpaid bill" },
	{ "colon in the reason", "suspended: a: b",        CREDENTIAL_DISABLED, "a: b" },
	{ "without a reason",    "suspended",              CREDENTIAL_DISABLED, NULL },
	{ "empty reason",        "suspended: ",            CREDENTIAL_DISABLED, NULL },
	{ "protocol",            "protocol",               CREDENTIAL_DISABLED,
	                         "this account may not use this protocol" },
	{ "app passwords",       "app password only",      CREDENTIAL_NEVER,    NULL },
	{ "another word",        "suspendedly",            CREDENTIAL_DISABLED, NULL },
	{ "a query's own",       "not for this mailbox",   CREDENTIAL_DISABLED, NULL },
	{ "empty",               "",                       CREDENTIAL_DISABLED, NULL },
};

#define SLOW "{BLF-CRYPT}$2y$05$x"
#define FAST "{SSHA512}x"
static struct order_row {
	const char *label;
	const char *hashes[4], *refusals[4];
	const char *order; /* numbers of the rows to try */
} order_rows[] = {
	{ "one",                    { SLOW },                   { NULL }, "0" },
	{ "fast ones first",        { SLOW, FAST, FAST },       { NULL }, "120" },
	{ "else as they came",      { FAST, FAST, SLOW, SLOW }, { NULL }, "0123" },
	{ "no hash",                { NULL, FAST },             { NULL }, "1" },
	{ "app passwords only",     { SLOW, FAST },             { "app password only" }, "1" },
	{ "refused, but compared",  { SLOW, FAST },             { "disabled", "disabled" }, "10" },
	{ "nothing to try",         { SLOW },                   { "app password only" }, "" },
};

static struct login_row {
	const char *label;
	struct pw_str login;
	bool is_possible;
} login_rows[] = {
	{ "address",       PW_STR("ann@example.org"),    true },
	{ "no domain",     PW_STR("ann"),                true },
	{ "letters",       PW_STR("\xc3\xa5nn@b.test"),  true },
	{ "blank",         PW_STR("a b@example.org"),    true },
	{ "empty",         PW_STR(""),                   false },
	{ "not UTF-8",     PW_STR("ann\xff@b.test"),     false },
	{ "overlong form", PW_STR("ann\xc0\xaf@b.test"), false },
	{ "newline",       PW_STR("ann\n@b.test"),       false },
	{ "tab",           PW_STR("ann\t@b.test"),       false },
	{ "NUL",           PW_STR("ann\0@b.test"),       false },
	{ "delete",        PW_STR("ann\x7f@b.test"),     false },
};
/* clang-format on */

static void check_cost(void **state)
{
	const struct cost_row *row = *state;

	assert_int_equal(hash_cost(pw_str_from(row->hash)), row->cost);
}

static void check_judge(void **state)
{
	const struct judge_row *row = *state;
	const struct credential credential = { .refusal = row->refusal };
	const char *reason = "untouched";

	assert_int_equal(credential_judge(&credential, &reason), row->verdict);
	if (row->reason)
		assert_string_equal(reason, row->reason);
	else
		assert_null(reason);
}

static void check_order(void **state)
{
	const struct order_row *row = *state;
	struct credential rows[4];
	char order[5] = "";
	size_t tries;

	for (size_t i = 0; i < 4; i++)
		rows[i] = (struct credential){ .hash = row->hashes[i],
			                       .refusal = row->refusals[i],
			                       .number = (int64_t)i };
	tries = credentials_order(rows, 4);
	for (size_t i = 0; i < tries; i++)
		order[i] = (char)('0' + rows[i].number);
	assert_string_equal(order, row->order);
}

static void check_login(void **state)
{
	const struct login_row *row = *state;

	assert_int_equal(login_is_possible(row->login), row->is_possible);
}

static void no_more_than_the_limit(void **state)
{
	static struct credential rows[CREDENTIALS_MAX + 10];

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++)
		rows[i].hash = FAST;
	assert_int_equal(credentials_order(rows, PW_LEN(rows)), CREDENTIALS_MAX);
}

static void longest_login(void **state)
{
	char login[400];

	(void)state;
	memset(login, 'a', sizeof(login));
	assert_true(login_is_possible((struct pw_str){ login, 320 }));
	assert_false(login_is_possible((struct pw_str){ login, 321 }));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(cost_rows) + PW_LEN(judge_rows) +
	                        PW_LEN(order_rows) + PW_LEN(login_rows) + 2];
	size_t n = 0;

	PW_TABLE_TESTS(tests, n, cost_rows, check_cost);
	n += PW_LEN(cost_rows);
	PW_TABLE_TESTS(tests, n, judge_rows, check_judge);
	n += PW_LEN(judge_rows);
	PW_TABLE_TESTS(tests, n, order_rows, check_order);
	n += PW_LEN(order_rows);
	PW_TABLE_TESTS(tests, n, login_rows, check_login);
	n += PW_LEN(login_rows);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_more_than_the_limit);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(longest_login);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
