#include "../table.h"

#include "mail/arc_results.h"

#define SETS_MAX 3

/* Who is to be believed about ann@author.test. */
struct vouch_row {
	const char *label;
	const char *domains[SETS_MAX]; /* d= of the seals, the oldest first */
	const char *results[SETS_MAX];
	unsigned want;
};

#define PASS "x.test; spf=fail; dmarc=pass (p=reject) header.from=author.test"
#define FAIL "x.test; dmarc=fail header.from=author.test"

static struct vouch_row vouch_rows[] = {
	/* clang-format off */
	{ "one that is trusted", { "good.test" }, { PASS }, 1 },
	{ "its name in capitals", { "GOOD.test" }, { PASS }, 1 },
	{ "one that is not", { "bad.test" }, { PASS }, 0 },
	{ "one below the name", { "mx.good.test" }, { PASS }, 0 },
	{ "it saw a failure", { "good.test" }, { FAIL }, 0 },
	{ "it saw another author", { "good.test" }, { "x; dmarc=pass header.from=other.test" }, 0 },
	{ "it names no author", { "good.test" }, { "x; dmarc=pass" }, 0 },
	{ "the first result counts", { "good.test" }, { "x; dmarc=fail header.from=author.test; dmarc=pass header.from=author.test" }, 0 },
	{ "pass in a comment", { "good.test" }, { "x; dmarc=fail (dmarc=pass header.from=author.test)" }, 0 },
	{ "trusted below, trusted above", { "good.test", "fine.test" }, { PASS, FAIL }, 1 },
	{ "the newest that says so", { "good.test", "fine.test" }, { PASS, PASS }, 2 },
	{ "trusted below, a stranger above", { "good.test", "bad.test" }, { PASS, FAIL }, 0 },
	{ "a stranger below, trusted above", { "bad.test", "good.test" }, { PASS, FAIL }, 0 },
	{ "a stranger between", { "good.test", "bad.test", "fine.test" }, { PASS, FAIL, FAIL }, 0 },
	/* clang-format on */
};

static bool is_trusted(const void *user, struct pw_str domain)
{
	(void)user;
	return pw_str_eq_nocase(domain, PW_STR("good.test")) ||
	       pw_str_eq_nocase(domain, PW_STR("fine.test"));
}

static void check_vouched(void **state)
{
	const struct vouch_row *row = *state;
	struct pw_buf values[SETS_MAX * 2] = { 0 };
	struct pw_arc_chain chain = { .count = 0 };

	for (unsigned i = 0; i < SETS_MAX && row->domains[i] != NULL; i++) {
		pw_buf_printf(&values[i * 2], " i=%u; %s", i + 1, row->results[i]);
		pw_buf_printf(&values[i * 2 + 1], " i=%u; cv=none; d=%s; s=s; b=A", i + 1,
		              row->domains[i]);
		pw_arc_chain_add(&chain, PW_ARC_RESULTS, PW_STR("A"),
		                 pw_buf_str(&values[i * 2]));
		pw_arc_chain_add(&chain, PW_ARC_SEAL, PW_STR("A"),
		                 pw_buf_str(&values[i * 2 + 1]));
	}
	assert_int_equal(pw_arc_vouched(&chain, PW_STR("author.test"), is_trusted, NULL),
	                 row->want);
	for (size_t i = 0; i < PW_LEN(values); i++)
		pw_buf_done(&values[i]);
}

struct chain_row {
	const char *label, *results;
	bool is_said;
	enum pw_arc_result cv;
	unsigned sets;
};

static struct chain_row chain_rows[] = {
	/* clang-format off */
	{ "none", "mx.test; spf=pass; arc=none policy.arc-sets=0", true, PW_ARC_NONE, 0 },
	{ "pass", "mx.test; arc=pass policy.arc-sets=12", true, PW_ARC_PASS, 12 },
	{ "fail and why", "mx.test; arc=fail reason=\"arc=pass\" policy.arc-sets=2", true, PW_ARC_FAIL, 2 },
	{ "nothing of it", "mx.test; spf=pass", false, 0, 0 },
	{ "in a comment", "mx.test; spf=pass (arc=pass)", false, 0, 0 },
	{ "an odd word", "mx.test; arc=maybe", false, 0, 0 },
	{ "too many", "mx.test; arc=pass policy.arc-sets=51", false, 0, 0 },
	/* clang-format on */
};

static void check_chain(void **state)
{
	const struct chain_row *row = *state;
	enum pw_arc_result cv = PW_ARC_NONE;
	unsigned sets = 0;

	assert_int_equal(pw_arc_results_chain(pw_str_from(row->results), &cv, &sets),
	                 row->is_said);
	if (!row->is_said)
		return;
	assert_int_equal(cv, row->cv);
	assert_int_equal(sets, row->sets);
}

static void results_are_gathered_from_ours_alone(void **state)
{
	const struct pw_arc_field fields[] = {
		{ PW_STR("X-Other"), PW_STR(" mx.test; spf=fail") },
		{ PW_STR("Authentication-Results"),
		  PW_STR(" mx.test; arc=none;\n\tspf=pass") },
		{ PW_STR("Authentication-Results"), PW_STR(" other.test; dmarc=pass") },
		{ PW_STR("authentication-results"), PW_STR(" MX.test 1; dkim=pass") },
	};
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	pw_arc_put_results(&out, fields, PW_LEN(fields), PW_STR("mx.test"));
	assert_string_equal(pw_buf_text(&out),
	                    "mx.test; arc=none;\n\tspf=pass; dkim=pass");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(vouch_rows) + PW_LEN(chain_rows) + 1] = {
		cmocka_unit_test(results_are_gathered_from_ours_alone),
	};

	PW_TABLE_TESTS(tests, 1, vouch_rows, check_vouched);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(vouch_rows), chain_rows, check_chain);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
