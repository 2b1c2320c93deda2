#include "../table.h"

#include "dkim/forwards.h"

static const uint8_t seed[16] = "forwards";

struct row {
	const char *label, *recipient;
	const char *domain; /* NULL: it does not lead outside */
};

static struct row rows[] = {
	/* clang-format off */
	{ "an alias", "away@d.test", "d.test" },
	{ "its subaddress", "away+tag@d.test", "d.test" },
	{ "in an alias domain", "away@a.test", "d.test" },
	{ "a subaddress in an alias domain", "away+tag@a.test", "d.test" },
	{ "a subaddress that is an address of its own", "away+kept@d.test", NULL },
	{ "nobody we know", "ann@d.test", NULL },
	{ "a catch-all", "anybody@f.test", "f.test" },
	{ "a subaddress under a catch-all", "anybody+x@f.test", "f.test" },
	{ "an address in its way", "dan@f.test", NULL },
	{ "the subaddress of such a one", "dan+x@f.test", NULL },
	{ "a foreign domain", "away@far.test", NULL },
	{ "a domain below ours", "away@sub.d.test", NULL },
	{ "no domain", "away", NULL },
	{ "nothing", "", NULL },
	/* clang-format on */
};

static struct forwards *made(void)
{
	struct forwards *f;

	assert_int_equal(forwards_new(&f, seed, '+'), PW_OK);
	assert_int_equal(forwards_add_domain(f, PW_STR("d.test"), PW_STR("")), PW_OK);
	assert_int_equal(forwards_add_domain(f, PW_STR("f.test"), PW_STR("")), PW_OK);
	assert_int_equal(forwards_add_domain(f, PW_STR("a.test"), PW_STR("d.test")),
	                 PW_OK);
	assert_int_equal(forwards_add(f, PW_STR("away@d.test"), true), PW_OK);
	assert_int_equal(forwards_add(f, PW_STR("away+kept@d.test"), false), PW_OK);
	assert_int_equal(forwards_add(f, PW_STR("@f.test"), true), PW_OK);
	assert_int_equal(forwards_add(f, PW_STR("dan@f.test"), false), PW_OK);
	return f;
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(forwards_free) struct forwards *f = made();
	struct pw_str domain = { NULL, 0 };
	enum pw_status r = forwards_find(f, pw_str_from(row->recipient), &domain);

	assert_int_equal(r, row->domain != NULL ? PW_OK : PW_ERR_NOTFOUND);
	if (row->domain != NULL)
		assert_true(pw_str_eq(domain, pw_str_from(row->domain)));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
