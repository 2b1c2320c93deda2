#include "../table.h"

#include "core/nets.h"

struct row {
	const char *label, *list, *ip;
	bool is_in;
};

static struct row rows[] = {
	{ "empty", "", "192.0.2.1", false },
	{ "an address", "192.0.2.1", "192.0.2.1", true },
	{ "another", "192.0.2.1", "192.0.2.2", false },
	{ "network", "198.51.100.0/24, 192.0.2.0/24", "192.0.2.9", true },
	{ "blanks part too", "198.51.100.0/24\t192.0.2.0/24 ", "198.51.100.9", true },
	{ "mapped", "192.0.2.1", "::ffff:192.0.2.1", true },
	{ "v6", "192.0.2.1,2001:db8::/64", "2001:db8::9", true },
	{ "v6 outside", "192.0.2.1,2001:db8::/64", "2001:db8:1::9", false },
};

static void check(void **state)
{
	const struct row *row = *state;
	struct pw_nets nets = { 0 };
	struct pw_str bad;
	struct pw_ip ip;

	assert_int_equal(pw_ip_parse(&ip, pw_str_from(row->ip)), PW_OK);
	assert_int_equal(pw_nets_parse(&nets, pw_str_from(row->list), &bad), PW_OK);
	assert_int_equal(pw_nets_contain(&nets, ip), row->is_in);
	assert_false(pw_nets_contain(&nets, (struct pw_ip){ 0 }));
}

static void check_bad(void **state)
{
	struct pw_nets nets = { 0 };
	struct pw_str bad;

	(void)state;
	assert_int_equal(pw_nets_parse(&nets, PW_STR("192.0.2.1, edge"), &bad),
	                 PW_ERR_SYNTAX);
	assert_true(pw_str_eq(bad, PW_STR("edge")));
	assert_int_equal(pw_nets_parse(&nets, PW_STR("192.0.2.1/33"), &bad),
	                 PW_ERR_RANGE);
	for (int i = 0; i < PW_NETS_MAX; i++)
		if (pw_nets_parse(&nets, PW_STR("192.0.2.1"), &bad) != PW_OK)
			break;
	assert_int_equal(pw_nets_parse(&nets, PW_STR("192.0.2.1"), &bad), PW_ERR_LIMIT);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		[PW_LEN(rows)] = cmocka_unit_test(check_bad),
	};

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
