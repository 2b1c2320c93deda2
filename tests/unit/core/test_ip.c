#include "../table.h"

#include "core/ip.h"

/* clang-format off */
static struct text_row {
	const char *label, *text, *printed, *reversed;
} text_rows[] = {
	/* printed NULL = not an address */
	{ "v4",                    "192.0.2.1",           "192.0.2.1",          "1.2.0.192" },
	{ "v4 extremes",           "0.0.0.255",           "0.0.0.255",          "255.0.0.0" },
	{ "v4 leading zero",       "192.0.2.01",          NULL, NULL },
	{ "v4 too big",            "192.0.2.256",         NULL, NULL },
	{ "v4 three parts",        "192.0.2",             NULL, NULL },
	{ "v4 five parts",         "192.0.2.1.1",         NULL, NULL },
	{ "v4 empty part",         "192..2.1",            NULL, NULL },
	{ "v4 trailing dot",       "192.0.2.1.",          NULL, NULL },
	{ "v4 sign",               "192.0.2.-1",          NULL, NULL },
	{ "empty",                 "",                    NULL, NULL },
	{ "v6 all zero",           "::",                  "::",                 NULL },
	{ "v6 loopback",           "0:0:0:0:0:0:0:1",     "::1",                NULL },
	{ "v6 ends in zeros",      "2001:db8::",          "2001:db8::",         NULL },
	{ "v6 lower case",         "2001:DB8::ABCD",      "2001:db8::abcd",     NULL },
	{ "v6 first of two runs",  "2001:0:0:1:0:0:1:1",  "2001::1:0:0:1:1",    NULL },
	{ "v6 longer run",         "2001:0:0:1:0:0:0:1",  "2001:0:0:1::1",      NULL },
	{ "v6 single zero stays",  "2001:db8:0:1:1:1:1:1","2001:db8:0:1:1:1:1:1", NULL },
	{ "v6 mapped",             "::FFFF:192.0.2.1",    "::ffff:192.0.2.1",   NULL },
	{ "v6 mapped in hex",      "::ffff:c000:201",     "::ffff:192.0.2.1",   NULL },
	{ "v6 with quad",          "64:ff9b::192.0.2.1",  "64:ff9b::c000:201",  NULL },
	{ "v6 gap of one group",   "1:2:3:4:5:6:7::",     "1:2:3:4:5:6:7:0",    NULL },
	{ "v6 reversed",           "2001:db8::567:89ab",  "2001:db8::567:89ab",
	  "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2" },
	{ "v6 two gaps",           "1::2::3",             NULL, NULL },
	{ "v6 three colons",       ":::",                 NULL, NULL },
	{ "v6 gap of nothing",     "1:2:3:4:5:6:7::8",    NULL, NULL },
	{ "v6 seven groups",       "1:2:3:4:5:6:7",       NULL, NULL },
	{ "v6 nine groups",        "1:2:3:4:5:6:7:8:9",   NULL, NULL },
	{ "v6 five digits",        "12345::",             NULL, NULL },
	{ "v6 lone colon first",   ":1:2:3:4:5:6:7:8",    NULL, NULL },
	{ "v6 lone colon last",    "1:2:3:4:5:6:7:8:",    NULL, NULL },
	{ "v6 quad in the middle", "::192.0.2.1:1",       NULL, NULL },
	{ "v6 quad before gap",    "192.0.2.1::",         NULL, NULL },
	{ "v6 zone",               "fe80::1%eth0",        NULL, NULL },
	{ "v6 brackets",           "[::1]",               NULL, NULL },
};

static struct net_row {
	const char *label, *net, *ip;
	enum pw_status status;
	bool contains;
} net_rows[] = {
	{ "inside /24",           "192.0.2.0/24",   "192.0.2.255",  PW_OK, true },
	{ "outside /24",          "192.0.2.0/24",   "192.0.3.0",    PW_OK, false },
	{ "host bits ignored",    "192.0.2.77/28",  "192.0.2.64",   PW_OK, true },
	{ "odd prefix, outside",  "192.0.2.64/27",  "192.0.2.96",   PW_OK, false },
	{ "single address",       "192.0.2.1",      "192.0.2.1",    PW_OK, true },
	{ "everything",           "0.0.0.0/0",      "255.1.2.3",    PW_OK, true },
	{ "families differ",      "0.0.0.0/0",      "::1",          PW_OK, false },
	{ "v6 /32",               "2001:db8::/32",  "2001:db8:f::", PW_OK, true },
	{ "v6 /127",              "2001:db8::2/127","2001:db8::4",  PW_OK, false },
	{ "prefix too long",      "192.0.2.0/33",   "192.0.2.0",    PW_ERR_RANGE, false },
	{ "prefix empty",         "192.0.2.0/",     "192.0.2.0",    PW_ERR_SYNTAX, false },
	{ "prefix leading zero",  "192.0.2.0/08",   "192.0.2.0",    PW_ERR_SYNTAX, false },
	{ "prefix signed",        "192.0.2.0/-1",   "192.0.2.0",    PW_ERR_SYNTAX, false },
};
/* clang-format on */

static void check_text(void **state)
{
	const struct text_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_ip ip = { .family = 9 };

	if (row->printed == NULL) {
		assert_int_equal(pw_ip_parse(&ip, pw_str_from(row->text)), PW_ERR_SYNTAX);
		assert_int_equal(ip.family, 9);
		return;
	}
	assert_int_equal(pw_ip_parse(&ip, pw_str_from(row->text)), PW_OK);
	pw_ip_put(&out, ip);
	assert_string_equal(pw_buf_text(&out), row->printed);
	if (row->reversed == NULL)
		return;
	pw_buf_reset(&out);
	pw_ip_put_reversed(&out, ip);
	assert_string_equal(pw_buf_text(&out), row->reversed);
}

static void check_net(void **state)
{
	const struct net_row *row = *state;
	struct pw_net net;
	struct pw_ip ip;

	assert_int_equal(pw_net_parse(&net, pw_str_from(row->net)), row->status);
	if (row->status != PW_OK)
		return;
	assert_int_equal(pw_ip_parse(&ip, pw_str_from(row->ip)), PW_OK);
	assert_int_equal(pw_net_contains(&net, ip), row->contains);
}

static void mapped_address_is_the_same_client(void **state)
{
	struct pw_ip mapped, plain, other;

	(void)state;
	assert_int_equal(pw_ip_parse(&mapped, PW_STR("::ffff:192.0.2.1")), PW_OK);
	assert_int_equal(pw_ip_parse(&plain, PW_STR("192.0.2.1")), PW_OK);
	assert_int_equal(pw_ip_parse(&other, PW_STR("::1")), PW_OK);
	assert_false(pw_ip_eq(mapped, plain));
	assert_true(pw_ip_eq(pw_ip_unmap(mapped), plain));
	assert_true(pw_ip_eq(pw_ip_unmap(other), other));
	assert_true(pw_ip_cmp(plain, other) < 0);
}

int main(void)
{
	struct CMUnitTest tests[1 + PW_LEN(text_rows) + PW_LEN(net_rows)] = {
		cmocka_unit_test(mapped_address_is_the_same_client),
	};

	PW_TABLE_TESTS(tests, 1, text_rows, check_text);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(text_rows), net_rows, check_net);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
