#include "../table.h"

#include <string.h>

#include "core/origin.h"

struct kind_row {
	const char *label, *address;
	enum pw_origin_kind kind;
};

static struct kind_row kind_rows[] = {
	{ "documentation is public", "198.51.100.7", PW_ORIGIN_PUBLIC },
	{ "documentation v6 is public", "2001:db8::7", PW_ORIGIN_PUBLIC },
	{ "a resolver", "9.9.9.9", PW_ORIGIN_PUBLIC },
	{ "no address", "", PW_ORIGIN_MISSING },
	{ "loopback", "127.0.0.1", PW_ORIGIN_LOOPBACK },
	{ "loopback far end", "127.255.255.254", PW_ORIGIN_LOOPBACK },
	{ "loopback v6", "::1", PW_ORIGIN_LOOPBACK },
	{ "loopback, mapped", "::ffff:127.0.0.1", PW_ORIGIN_LOOPBACK },
	{ "ten", "10.9.0.1", PW_ORIGIN_PRIVATE },
	{ "172.16 begins", "172.16.0.0", PW_ORIGIN_PRIVATE },
	{ "172.31 ends", "172.31.255.255", PW_ORIGIN_PRIVATE },
	{ "172.32 is public", "172.32.0.0", PW_ORIGIN_PUBLIC },
	{ "192.168", "192.168.1.1", PW_ORIGIN_PRIVATE },
	{ "carrier NAT", "100.64.0.1", PW_ORIGIN_PRIVATE },
	{ "above carrier NAT", "100.128.0.1", PW_ORIGIN_PUBLIC },
	{ "link-local", "169.254.1.1", PW_ORIGIN_PRIVATE },
	{ "link-local v6", "fe80::1", PW_ORIGIN_PRIVATE },
	{ "unique local", "fd00::1", PW_ORIGIN_PRIVATE },
	{ "this network", "0.0.0.0", PW_ORIGIN_RESERVED },
	{ "multicast", "224.0.0.1", PW_ORIGIN_RESERVED },
	{ "broadcast", "255.255.255.255", PW_ORIGIN_RESERVED },
	{ "unspecified v6", "::", PW_ORIGIN_RESERVED },
	{ "multicast v6", "ff02::1", PW_ORIGIN_RESERVED },
};

static void check_kind(void **state)
{
	const struct kind_row *row = *state;
	struct pw_ip ip = { 0 };

	if (row->address[0])
		assert_int_equal(pw_ip_parse(&ip, pw_str_from(row->address)), PW_OK);
	assert_string_equal(pw_origin_kind_text(pw_origin_kind(ip)),
	                    pw_origin_kind_text(row->kind));
}

struct put_row {
	const char *label, *address, *name;
	enum pw_name_state state;
	const char *text;
};

static struct put_row put_rows[] = {
	{ "named", "192.0.2.7", "mail.example.net", PW_NAME_KNOWN,
	  "mail.example.net[192.0.2.7]" },
	{ "unverified name is not shown", "192.0.2.7", "liar.example", PW_NAME_NONE,
	  "unknown[192.0.2.7]" },
	{ "IPv6", "2001:db8::7", "", PW_NAME_TEMPORARY, "unknown[2001:db8::7]" },
	{ "nothing known", "", "", PW_NAME_NONE, "unknown[unknown]" },
};

static void check_put(void **state)
{
	const struct put_row *row = *state;
	struct pw_origin origin = { .name_state = row->state,
		                    .name = pw_str_from(row->name) };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	if (row->address[0])
		assert_int_equal(pw_ip_parse(&origin.address, pw_str_from(row->address)),
		                 PW_OK);
	pw_origin_put(&out, &origin);
	assert_string_equal(pw_buf_text(&out), row->text);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(kind_rows) + PW_LEN(put_rows)];

	PW_TABLE_TESTS(tests, 0, kind_rows, check_kind);
	PW_TABLE_TESTS(tests, PW_LEN(kind_rows), put_rows, check_put);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
