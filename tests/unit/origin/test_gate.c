#include "../table.h"

#include "origin/engine/gate.h"

struct row {
	const char *label, *networks, *address, *server, *objection;
};

static struct row rows[] = {
	{ "public", "", "192.0.2.7", "198.51.100.25", "" },
	{ "public v6", "", "2001:db8::7", "2001:db8::25", "" },
	{ "loopback", "", "127.0.0.1", "127.0.0.1", "loopback" },
	{ "mapped loopback", "", "::ffff:127.0.0.1", "", "loopback" },
	{ "private", "", "10.9.0.2", "10.9.0.1", "private" },
	{ "none", "", "", "198.51.100.25", "missing" },
	{ "the address connected to", "", "198.51.100.25", "198.51.100.25", "self" },
	{ "VPN on public addresses", "192.0.2.0/24, 2001:db8:1::/48", "192.0.2.7", "", "network" },
	{ "VPN v6", "192.0.2.0/24, 2001:db8:1::/48", "2001:db8:1::9", "", "network" },
	{ "beside the VPN", "192.0.2.0/25 ,", "192.0.2.128", "", "" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct gate gate = { .count = 0 };
	struct pw_origin origin = { 0 };
	struct pw_str bad;
	const char *objection;

	assert_int_equal(gate_add_list(&gate, pw_str_from(row->networks), &bad), PW_OK);
	if (row->address[0])
		assert_int_equal(pw_ip_parse(&origin.address, pw_str_from(row->address)), PW_OK);
	if (row->server[0])
		assert_int_equal(pw_ip_parse(&origin.server_address, pw_str_from(row->server)),
		                 PW_OK);
	objection = gate_objects(&gate, &origin);
	assert_string_equal(objection ? objection : "", row->objection);
}

static void a_bad_network_is_named(void **state)
{
	struct gate gate = { .count = 0 };
	struct pw_str bad;

	(void)state;
	assert_int_equal(gate_add_list(&gate, PW_STR("192.0.2.0/24 vpn"), &bad), PW_ERR_SYNTAX);
	assert_true(pw_str_eq(bad, PW_STR("vpn")));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	tests[PW_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(a_bad_network_is_named);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
