#include "../table.h"

#include "dkim/sign.h"

static struct keyring *keyring;

struct row {
	const char *label, *login, *from; /* from NULL = no such field */
	size_t from_count;
	bool is_local, has_no_snapshot, is_too_large;
	struct sign_rules rules;
	enum sign_action action;
	const char *cause, *domain;
};

#define LOCAL .is_local = true
#define DEFERS .on = { SIGN_NONE, SIGN_DEFER, SIGN_DEFER, SIGN_DEFER }
#define ALL(action) .on = { action, action, action, action }
#define RULES .rules = { .signs_local = true, DEFERS }

static struct row rows[] = {
	/* clang-format off */
	{ "own address", "ann@example.org", " Ann <ann@example.org>", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "own address in another case", "ann@example.org", " ANN@Example.ORG", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "own alias", "ann@example.org", " sales@example.org", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "own subaddress", "ann@example.org", " ann+x@example.org", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "folded, with a comment", "ann@example.org", "\n\t(me) \"A, B\"\n <ann@example.org>", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "somebody else's", "ann@example.org", " bob@example.org", 1, RULES,
	  .action = SIGN_REJECT, .cause = "from_foreign" },
	{ "somebody else's as far as a stale snapshot knows", "ann@example.org", " bob@example.org", 1,
	  .rules = { .is_stale = true, ALL(SIGN_NONE) }, .action = SIGN_DEFER, .cause = "stale" },
	{ "own address in a stale snapshot", "ann@example.org", " ann@example.org", 1,
	  .rules = { .is_stale = true }, .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "somebody else's, stale, allowed unsigned", "ann@example.org", " bob@example.org", 1,
	  .rules = { .is_stale = true, .foreign_passes = true }, .action = SIGN_NONE, .cause = "from_foreign" },
	{ "own address as the name", "ann@example.org", " \"ann@example.org\" <bob@example.org>", 1, RULES,
	  .action = SIGN_REJECT, .cause = "from_foreign" },
	{ "a login without addresses", "eve", " ann@example.org", 1, RULES,
	  .action = SIGN_DEFER, .cause = "login_unknown" },
	{ "somebody else's, allowed unsigned", "ann@example.org", " bob@example.org", 1,
	  .rules = { .foreign_passes = true }, .action = SIGN_NONE, .cause = "from_foreign" },
	{ "no From", "ann@example.org", NULL, 0, RULES, .action = SIGN_REJECT, .cause = "from_syntax" },
	{ "two fields From", "ann@example.org", " ann@example.org", 2, RULES,
	  .action = SIGN_REJECT, .cause = "from_syntax" },
	{ "two addresses", "ann@example.org", " ann@example.org, ann@example.org", 1, RULES,
	  .action = SIGN_REJECT, .cause = "from_syntax" },
	{ "a group", "ann@example.org", " me: ann@example.org;", 1, RULES,
	  .action = SIGN_REJECT, .cause = "from_syntax" },
	{ "no address", "ann@example.org", " ann", 1, RULES, .action = SIGN_REJECT, .cause = "from_syntax" },
	{ "no address, allowed unsigned", "ann@example.org", " ann", 1,
	  .rules = { .foreign_passes = true }, .action = SIGN_NONE, .cause = "from_syntax" },
	{ "a domain without key", "ann@example.org", " ann@example.com", 1, RULES,
	  .action = SIGN_NONE, .cause = "no_key" },
	{ "a key that cannot be read", "ann@example.org", " ann@broken.example", 1, RULES,
	  .action = SIGN_DEFER, .cause = "key_unusable" },
	{ "a key that cannot be read, allowed unsigned", "ann@example.org", " ann@broken.example", 1,
	  .rules = { ALL(SIGN_NONE) }, .action = SIGN_NONE, .cause = "key_unusable" },
	{ "no snapshot", "ann@example.org", " ann@example.org", 1, RULES, .has_no_snapshot = true,
	  .action = SIGN_DEFER, .cause = "no_snapshot" },
	{ "no snapshot, allowed unsigned", "ann@example.org", " ann@example.org", 1, .has_no_snapshot = true,
	  .rules = { ALL(SIGN_NONE) }, .action = SIGN_NONE, .cause = "no_snapshot" },
	{ "no snapshot, refused", "ann@example.org", " ann@example.org", 1, .has_no_snapshot = true,
	  .rules = { ALL(SIGN_REJECT) }, .action = SIGN_REJECT, .cause = "no_snapshot" },
	{ "a login newer than what is known, refused", "eve", " ann@example.org", 1,
	  .rules = { ALL(SIGN_REJECT) }, .action = SIGN_REJECT, .cause = "login_unknown" },
	{ "a domain without key, deferred", "ann@example.org", " ann@example.com", 1,
	  .rules = { ALL(SIGN_DEFER) }, .action = SIGN_DEFER, .cause = "no_key" },
	{ "a domain without key, refused", "ann@example.org", " ann@example.com", 1,
	  .rules = { ALL(SIGN_REJECT) }, .action = SIGN_REJECT, .cause = "no_key" },
	{ "a key that is on its way", "ann@example.org", " ann@pending.example", 1, RULES,
	  .action = SIGN_NONE, .cause = "key_pending" },
	{ "a key that is on its way, deferred", "ann@example.org", " ann@pending.example", 1,
	  .rules = { ALL(SIGN_DEFER) }, .action = SIGN_DEFER, .cause = "key_pending" },
	{ "a key that cannot be read, refused", "ann@example.org", " ann@broken.example", 1,
	  .rules = { ALL(SIGN_REJECT) }, .action = SIGN_REJECT, .cause = "key_unusable" },
	{ "a subdomain by rule", "ann@example.org", " ann@a.b.example.net", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "the domain itself is none below it", "ann@example.org", " ann@example.net", 1, RULES,
	  .action = SIGN_NONE, .cause = "no_key" },
	{ "the nearest rule", "ann@example.org", " ann@c.b.example.net", 1, RULES,
	  .action = SIGN_NONE, .cause = "rule" },
	{ "an address by rule", "ann@example.org", " news@a.b.example.net", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "a rule whose domain has no key", "ann@example.org", " ann@third.example", 1, RULES,
	  .action = SIGN_NONE, .cause = "no_key" },
	{ "a rule whose domain has an unreadable key", "ann@example.org", " ann@fourth.example", 1, RULES,
	  .action = SIGN_DEFER, .cause = "key_unusable" },
	{ "a domain of other letters", "ann@example.org", " ann@gr\xc3\xbc\xc3\x9f" "e.example", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "xn--gre-6ka8l.example" },
	{ "the same as DNS has it", "ann@example.org", " ann@xn--gre-6ka8l.example", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "xn--gre-6ka8l.example" },
	{ "a subdomain of other letters by rule", "ann@example.org", " ann@b.\xd1\x80\xd1\x84", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "xn--gre-6ka8l.example" },
	{ "a key on its way does not stop the rule above", "ann@example.org", " ann@p.example.net", 1, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "too many fields", "ann@example.org", " ann@example.org", 1, RULES, .is_too_large = true,
	  .action = SIGN_NONE, .cause = "too_many_fields" },
	{ "local program", "", " root@example.org", 1, LOCAL, RULES,
	  .action = SIGN_ADD, .cause = "", .domain = "example.org" },
	{ "local program, not one address", "", " a@b, c@d", 1, LOCAL, RULES,
	  .action = SIGN_NONE, .cause = "from_syntax" },
	{ "local programs are not signed for", "", " root@example.org", 1, LOCAL,
	  .action = SIGN_NONE, .cause = "local" },
	{ "from outside", "", " ann@example.org", 1, RULES, .action = SIGN_NONE, .cause = "inbound" },
	{ "from outside without snapshot", "", " ann@example.org", 1, RULES, .has_no_snapshot = true,
	  .action = SIGN_NONE, .cause = "inbound" },
	/* clang-format on */
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct sign_message message = {
		.login = pw_str_from(row->login),
		.is_local = row->is_local,
		.from_count = row->from_count,
		.from = pw_str_from(row->from),
		.is_too_large = row->is_too_large,
	};
	struct sign_plan plan;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(sign_decide(&plan, arena, &message,
	                             row->has_no_snapshot ? NULL : keyring, &row->rules),
	                 PW_OK);
	assert_string_equal(sign_action_text(plan.action), sign_action_text(row->action));
	assert_string_equal(plan.cause, row->cause);
	if (plan.action == SIGN_ADD)
		assert_true(pw_str_eq(plan.as[0].domain->name, pw_str_from(row->domain)));
	if (plan.action == SIGN_REJECT || plan.action == SIGN_DEFER)
		assert_true(pw_str_from(plan.text).len > 0);
}

static void add_key(const char *domain, const char *selector,
                    enum pw_dkim_algorithm algorithm)
{
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf pem = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	assert_int_equal(pw_dkim_key_make(&key, algorithm), PW_OK);
	assert_int_equal(pw_dkim_key_pem(key, &pem), PW_OK);
	assert_int_equal(keyring_add_key(keyring, pw_str_from(domain),
	                                 pw_str_from(selector),
	                                 pw_str_from(pw_dkim_algorithm_text(algorithm)),
	                                 pw_buf_str(&pem), &why),
	                 PW_OK);
	assert_int_equal(why.len, 0);
}

static int set_up(void **state)
{
	static const uint8_t seed[16] = { 1 };
	static const char *const patterns[] = {
		"ann@example.org",  "sales@example.org",      "@example.com",
		"@broken.example",  "@pending.example",       "@a.b.example.net",
		"@c.b.example.net", "@example.net",           "@third.example",
		"@fourth.example",  "@xn--gre-6ka8l.example", "@b.xn--p1ai",
		"@p.example.net"
	};
	static const struct rule_row rules[] = {
		{ .pattern = { ".example.net", 12 }, .domain = { "example.org", 11 } },
		{ .pattern = { ".b.example.net", 14 }, .domain = { "example.org", 11 } },
		{ .pattern = { "c.b.example.net", 15 }, .action = { "unsigned", 8 } },
		{ .pattern = { "news@a.b.example.net", 20 },
		  .domain = { "example.org", 11 } },
		{ .pattern = { ".\xd1\x80\xd1\x84", 5 },
		  .domain = { "gr\xc3\xbc\xc3\x9f"
		              "e.example",
		              15 } },
		{ .pattern = { "third.example", 13 }, .domain = { "example.com", 11 } },
		{ .pattern = { "fourth.example", 14 },
		  .domain = { "broken.example", 14 } },
	};
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	(void)state;
	assert_int_equal(keyring_new(&keyring, seed, '+'), PW_OK);
	add_key("example.org", "r1", PW_DKIM_RSA_SHA256);
	add_key("example.org", "e1", PW_DKIM_ED25519_SHA256);
	add_key("gr\xc3\xbc\xc3\x9f"
	        "e.example",
	        "e1", PW_DKIM_ED25519_SHA256);
	assert_int_equal(keyring_add_key(keyring, PW_STR("broken.example"), PW_STR("x"),
	                                 PW_STR("rsa-sha256"), PW_STR("no key"), &why),
	                 PW_OK);
	assert_int_equal(keyring_add_pending(keyring, PW_STR("pending.example")), PW_OK);
	assert_int_equal(keyring_add_pending(keyring, PW_STR("p.example.net")), PW_OK);
	for (size_t i = 0; i < PW_LEN(rules); i++) {
		struct rule_row row = rules[i];

		if (row.action.len == 0)
			row.action = PW_STR("sign");
		assert_int_equal(keyring_add_rule(keyring, &row), PW_OK);
	}
	for (size_t i = 0; i < PW_LEN(patterns); i++)
		assert_int_equal(keyring_add_sender(keyring, PW_STR("ann@example.org"),
		                                    pw_str_from(patterns[i])),
		                 PW_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	keyring_free(&keyring);
	return 0;
}

/* What a sloppy administrator may put into the table. */
struct bad_key {
	const char *label, *selector, *algorithm, *pem;
};

static struct bad_key bad_keys[] = {
	{ "not PEM", "s", "rsa-sha256", "hello" },
	{ "empty", "s", "rsa-sha256", "" },
	{ "NULL", "s", "rsa-sha256", NULL },
	{ "unknown algorithm", "s", "rsa-sha1", "-----BEGIN PRIVATE KEY-----" },
	{ "selector with a blank", "a b", "rsa-sha256", "-----BEGIN PRIVATE KEY-----" },
	{ "selector with a line end", "a\r\nX: y", "rsa-sha256", "x" },
	{ "no selector", "", "rsa-sha256", "x" },
};

static void check_bad_key(void **state)
{
	const struct bad_key *row = *state;
	static const uint8_t seed[16] = { 1 };
	PW_AUTO(keyring_free) struct keyring *ring = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	const struct keyring_domain *domain;

	assert_int_equal(keyring_new(&ring, seed, '+'), PW_OK);
	assert_int_equal(
		keyring_add_key(ring, PW_STR("d.example"), pw_str_from(row->selector),
	                        pw_str_from(row->algorithm), pw_str_from(row->pem), &why),
		PW_OK);
	domain = keyring_find(ring, PW_STR("d.example"));
	assert_non_null(domain);
	assert_int_equal(domain->count, 0);
	assert_int_equal(domain->unusable, 1);
	assert_true(why.len > 0);
}

static void a_domain_has_all_its_keys(void **state)
{
	const struct keyring_domain *domain =
		keyring_find(keyring, PW_STR("example.org"));

	(void)state;
	assert_int_equal(domain->count, 2);
	assert_int_equal(pw_dkim_key_algorithm(domain->keys[0].key), PW_DKIM_RSA_SHA256);
	assert_int_equal(pw_dkim_key_algorithm(domain->keys[1].key),
	                 PW_DKIM_ED25519_SHA256);
	assert_int_equal(keyring_count(keyring), 3);
	assert_null(keyring_find(keyring, PW_STR("example.net")));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + PW_LEN(bad_keys) + 1] = {
		cmocka_unit_test(a_domain_has_all_its_keys),
	};

	PW_TABLE_TESTS(tests, 1, rows, check);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(rows), bad_keys, check_bad_key);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
