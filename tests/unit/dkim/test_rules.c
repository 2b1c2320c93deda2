/* Which rules an author gets, and the identity they give. */
#include "../table.h"

#include <string.h>

#include "dkim/rules.h"

static struct rules *rules;

struct given {
	const char *pattern, *domain, *action, *adds, *identity;
};

static const struct given givens[] = {
	/* clang-format off */
	{ "ann@example.org", "address.example", "sign", "f", "" },
	{ "example.org",     "first.example",   "sign", "f", "" },
	{ "example.org",     "second.example",  "sign", "f", "" },
	{ ".example.org",    "below.example",   "sign", "f", "" },
	{ ".b.example.org",  "nearer.example",  "sign", "f", "" },
	{ "no.example.net",  "",                "unsigned", "f", "" },
	{ "*",               "default.example", "sign", "f", "" },
	{ "bob@more.example", "one.example",    "sign", "t", "" },
	{ "more.example",    "two.example",     "sign", "t", "" },
	{ ".example",        "three.example",   "sign", "t", "" },
	/* clang-format on */
};

struct row {
	const char *label, *address;
	bool has_keys;
	const char
		*want; /* signing domains in order; "-" = the own keys, "!" = unsigned */
};

static struct row rows[] = {
	/* clang-format off */
	{ "an address",                      "ann@example.org",      false, "address.example" },
	{ "a domain: all of its rules",      "bob@example.org",      false, "first.example second.example" },
	{ "a domain's rules before its keys","bob@example.org",      true,  "first.example second.example" },
	{ "own keys",                        "x@own.test",           true,  "-" },
	{ "own keys before the rule above",  "x@a.example.org",      true,  "-" },
	{ "a domain above",                  "x@a.example.org",      false, "below.example" },
	{ "the nearest above",               "x@a.b.example.org",    false, "nearer.example" },
	{ "not above itself",                "x@b.example.org",      false, "below.example" },
	{ "no label in common",              "x@aexample.org",       false, "default.example" },
	{ "everybody",                       "x@other.test",         false, "default.example" },
	{ "unsigned on purpose",             "x@no.example.net",     true,  "!" },
	{ "besides, from near to far",       "bob@more.example",     true,  "- one.example two.example three.example" },
	{ "besides the default",             "eve@else.example",     false, "default.example three.example" },
	/* clang-format on */
};

static void check(void **state)
{
	const struct row *row = *state;
	const struct rule *chosen[RULES_CHOSEN_MAX];
	struct pw_str address = pw_str_from(row->address);
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	size_t at = pw_str_find(address, '@') + 1, count;

	count = rules_choose(chosen, rules, address, pw_str_sub(address, at, address.len),
	                     row->has_keys);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			pw_buf_putc(&text, ' ');
		if (!chosen[i])
			pw_buf_putc(&text, '-');
		else if (chosen[i]->is_unsigned)
			pw_buf_putc(&text, '!');
		else
			pw_buf_puts(&text, chosen[i]->domain);
	}
	assert_string_equal(pw_buf_text(&text), row->want);
}

static enum pw_status add(const struct given *given, const char *expires,
                          const char *headers)
{
	struct rule_row row = {
		.pattern = pw_str_from(given->pattern),
		.domain = pw_str_from(given->domain),
		.action = pw_str_from(given->action),
		.adds = pw_str_from(given->adds),
		.identity = pw_str_from(given->identity),
		.expires_s = pw_str_from(expires),
		.headers = pw_str_from(headers),
	};

	return rules_add(rules, &row);
}

struct identity_row {
	const char *label, *identity, *domain, *want;
};

static struct identity_row identity_rows[] = {
	/* clang-format off */
	{ "none",                         "",                "example.org",     "" },
	{ "the author",                   "author",          "example.org",     "ann@a.example.org" },
	{ "the author's domain",          "author_domain",   "example.org",     "@a.example.org" },
	{ "of a third party: none",       "author",          "provider.test",   "" },
	{ "no label in common",           "author",          "xample.org",      "" },
	{ "a fixed one",                  "x@b.example.org", "example.org",     "x@b.example.org" },
	{ "a fixed one of another domain","x@b.example.net", "example.org",     "" },
	/* clang-format on */
};

static void check_identity(void **state)
{
	const struct identity_row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct rule rule = { .identity = pw_str_from(row->identity) };
	struct pw_str identity;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(rule_identity(&identity, arena, &rule, pw_str_from(row->domain),
	                               PW_STR("ann@a.example.org"),
	                               PW_STR("a.example.org")),
	                 PW_OK);
	assert_true(pw_str_eq(identity, pw_str_from(row->want)));
}

/* What a sloppy administrator may put into the table, past its checks. */
static void rows_that_cannot_be_used_are_left_out(void **state)
{
	static const struct given bad[] = {
		{ "", "", "sign", "f", "" },
		{ "@", "", "sign", "f", "" },
		{ "a b", "", "sign", "f", "" },
		{ "..", "", "sign", "f", "" },
		{ "x.test", "a b", "sign", "f", "" },
		{ "x.test", "", "", "f", "" },
		{ "x.test", "", "sign", "f", "nobody" },
		{ "x.test", "", "sign", "f", "a@b\r\nTo: x.test" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(bad); i++)
		assert_int_equal(add(&bad[i], "", ""), PW_ERR_SYNTAX);
	assert_int_equal(add(&givens[0], "-1", ""), PW_ERR_SYNTAX);
	assert_int_equal(add(&givens[0], "99999999999999999999", ""), PW_ERR_RANGE);
	assert_int_equal(add(&givens[0], "", "Received"), PW_ERR_SYNTAX);
}

static int set_up(void **state)
{
	static const uint8_t seed[16] = { 1 };

	(void)state;
	assert_int_equal(rules_new(&rules, seed), PW_OK);
	for (size_t i = 0; i < PW_LEN(givens); i++)
		assert_int_equal(add(&givens[i], "", ""), PW_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rules_free(&rules);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + PW_LEN(identity_rows) + 1] = {
		cmocka_unit_test(rows_that_cannot_be_used_are_left_out),
	};

	PW_TABLE_TESTS(tests, 1, rows, check);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(rows), identity_rows, check_identity);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
