#include "../table.h"

#include "policyd/expiry.h"

static const uint8_t seed[16] = { 8 };
#define NOW INT64_C(1795251600000)

/* Logins and when they end, relative to NOW; 0 = never, but they may not send. */
static const struct account {
	const char *login;
	int64_t in_ms;
} accounts[] = {
	{ "long-gone", -EXPIRY_BEFORE_MS },
	{ "just-gone", -1000 },
	{ "soon", 500 },
	{ "soon-too", 600 },
	{ "later", 5000 },
	{ "never", 0 },
};

static struct catalog *build(void)
{
	struct catalog *catalog = NULL;
	char end[30];

	assert_int_equal(catalog_new(&catalog, seed, '+'), PW_OK);
	for (size_t i = 0; i < PW_LEN(accounts); i++) {
		const struct account *a = &accounts[i];
		struct pw_str expires = { NULL, 0 };

		snprintf(end, sizeof(end), "%lld", (long long)(NOW + a->in_ms));
		if (a->in_ms != 0)
			expires = pw_str_from(end);
		assert_int_equal(catalog_add(catalog, CATALOG_LOGINS,
		                             (struct pw_str[]){ pw_str_from(a->login),
		                                                PW_STR("t"),
		                                                { NULL, 0 },
		                                                expires }),
		                 PW_OK);
	}
	return catalog;
}

/* A bit for each of the accounts. */
static void found(void *arg, struct pw_str login)
{
	unsigned int *bits = arg;

	for (size_t i = 0; i < PW_LEN(accounts); i++)
		if (pw_str_eq(login, pw_str_from(accounts[i].login))) {
			assert_int_equal(*bits & 1u << i, 0);
			*bits |= 1u << i;
		}
}

static unsigned int look(struct expiry *expiry, const struct catalog *catalog,
                         int64_t in_ms)
{
	unsigned int bits = 0;

	expiry_look(expiry, catalog, found, &bits, NOW + in_ms);
	return bits;
}

static void test_each_once(void **state)
{
	PW_AUTO(catalog_free) struct catalog *catalog = build();
	struct expiry expiry = { 0 };

	(void)state;
	expiry_rebase(&expiry, catalog, NOW);
	assert_int_equal(look(&expiry, catalog, 0), 1u << 1);
	assert_int_equal(look(&expiry, catalog, 499), 0);
	assert_int_equal(look(&expiry, catalog, 700), 1u << 2 | 1u << 3);
	assert_int_equal(look(&expiry, catalog, -100000), 0); /* the clock steps back */
	assert_int_equal(look(&expiry, catalog, 800), 0);
	expiry_rebase(&expiry, catalog, NOW + 900); /* another catalog */
	assert_int_equal(look(&expiry, catalog, 1000), 0);
	assert_int_equal(look(&expiry, catalog, 5000), 1u << 4);
	assert_int_equal(look(&expiry, catalog, 500000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_once) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
