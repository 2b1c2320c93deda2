#include "../table.h"

#include "dkim/seal.h"

static struct keyring *keyring;

struct row {
	const char *label, *results;
	unsigned sets; /* that are in the message */
	bool is_broken, has_failed, has_no_snapshot;
	const char *domain, *seal_domain; /* "" = none */
	const char *cause;                /* NULL: sealed */
	enum pw_arc_result cv;
	const char *as;
};

#define NONE "mx; arc=none policy.arc-sets=0"
#define PASS "mx; arc=pass policy.arc-sets=2"
#define FAIL "mx; arc=fail reason=\"x\" policy.arc-sets=2"

static struct row rows[] = {
	/* clang-format off */
	{ "the first set", NONE, 0, .domain = "rsa.test", .cv = PW_ARC_NONE, .as = "rsa.test" },
	{ "one more", PASS, 2, .domain = "rsa.test", .cv = PW_ARC_PASS, .as = "rsa.test" },
	{ "a broken chain", FAIL, 2, .domain = "rsa.test", .cv = PW_ARC_FAIL, .as = "rsa.test" },
	{ "a broken chain without structure", FAIL, 2, .is_broken = true, .domain = "rsa.test", .cv = PW_ARC_FAIL, .as = "rsa.test" },
	{ "the last seal says fail", FAIL, 2, .has_failed = true, .domain = "rsa.test", .cause = "chain_failed" },
	{ "nothing to go on from", "mx; arc=fail policy.arc-sets=0", 0, .is_broken = true, .domain = "rsa.test", .cause = "chain_unreadable" },
	{ "50 sets", "mx; arc=pass policy.arc-sets=50", 50, .domain = "rsa.test", .cause = "chain_full" },
	{ "a set more than was seen", NONE, 1, .domain = "rsa.test", .cause = "other_chain" },
	{ "a set more on a chain", PASS, 3, .domain = "rsa.test", .cause = "other_chain" },
	{ "none where some were seen", PASS, 0, .domain = "rsa.test", .cause = "other_chain" },
	{ "none said of some", "mx; arc=none policy.arc-sets=2", 2, .domain = "rsa.test", .cause = "other_chain" },
	{ "results without arc", "mx; spf=pass", 0, .domain = "rsa.test", .cause = "no_results" },
	{ "no results", "", 0, .domain = "rsa.test", .cause = "no_results" },
	{ "no snapshot", NONE, 0, .has_no_snapshot = true, .domain = "rsa.test", .cause = "no_snapshot" },
	{ "no key", NONE, 0, .domain = "nokey.test", .cause = "no_key" },
	{ "Ed25519 alone", NONE, 0, .domain = "ed.test", .cause = "no_key" },
	{ "another's key", NONE, 0, .domain = "nokey.test", .seal_domain = "rsa.test", .cv = PW_ARC_NONE, .as = "rsa.test" },
	{ "another's that is not there", NONE, 0, .domain = "rsa.test", .seal_domain = "nokey.test", .cause = "no_key" },
	/* clang-format on */
};

static void check(void **state)
{
	const struct row *row = *state;
	struct pw_arc_chain chain = { .count = row->sets };
	struct seal_plan plan;
	struct seal_facts facts = { pw_str_from(row->domain), pw_str_from(row->results),
		                    &chain };

	chain.broken = row->is_broken ? "x" : NULL;
	if (row->has_failed)
		chain.sets[row->sets - 1].cv = PW_ARC_FAIL;
	seal_decide(&plan, &facts, row->has_no_snapshot ? NULL : keyring,
	            pw_str_from(row->seal_domain));
	if (row->cause != NULL) {
		assert_non_null(plan.cause);
		assert_string_equal(plan.cause, row->cause);
		return;
	}
	assert_null(plan.cause);
	assert_int_equal(plan.cv, row->cv);
	assert_true(pw_str_eq(plan.domain->name, pw_str_from(row->as)));
	assert_int_equal(pw_dkim_key_algorithm(plan.key->key), PW_DKIM_RSA_SHA256);
}

static void add(const char *domain, const char *selector,
                enum pw_dkim_algorithm algorithm)
{
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf pem = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	if (pw_dkim_key_make(&key, algorithm) != PW_OK ||
	    pw_dkim_key_pem(key, &pem) != PW_OK ||
	    keyring_add_key(keyring, pw_str_from(domain), pw_str_from(selector),
	                    pw_str_from(pw_dkim_algorithm_text(algorithm)),
	                    pw_buf_str(&pem), &why) != PW_OK)
		abort();
}

int main(void)
{
	static const uint8_t seed[16] = "seal";
	struct CMUnitTest tests[PW_LEN(rows)];
	int result;

	if (keyring_new(&keyring, seed, '+') != PW_OK)
		return 1;
	add("ed.test", "e", PW_DKIM_ED25519_SHA256);
	add("rsa.test", "e", PW_DKIM_ED25519_SHA256);
	add("rsa.test", "r", PW_DKIM_RSA_SHA256);
	PW_TABLE_TESTS(tests, 0, rows, check);
	result = cmocka_run_group_tests(tests, NULL, NULL);
	keyring_free(&keyring);
	return result;
}
