#include "../table.h"

#include "policyd/catalog.h"

static const uint8_t seed[16] = { 4 };

/* Rows of the three tables: those that are wrong are left out, the rest is good. */
/* clang-format off */
static struct add_row {
	const char *label;
	enum catalog_table table;
	const char *fields[11]; /* NULL = SQL NULL */
	enum pw_status status;
} add_rows[] = {
	{ "an entry", CATALOG_ACCESS_LISTS, { "1", "*", "sender", "a@b.test", "deny", "", "f", "t", "f", NULL, "f" }, PW_OK },
	{ "a network", CATALOG_ACCESS_LISTS, { "1", "*", "network", "192.0.2.0/24", "allow", "", "f", "t", "f", "99", "f" }, PW_OK },
	{ "all of IPv6", CATALOG_ACCESS_LISTS, { "1", "*", "network", "::/0", "allow", "", "f", "t", "f", NULL, "f" }, PW_OK },
	{ "no network", CATALOG_ACCESS_LISTS, { "1", "*", "network", "192.0.2.0/33", "deny", "", "f", "t", "f", NULL, "f" }, PW_ERR_RANGE },
	{ "no network at all", CATALOG_ACCESS_LISTS, { "1", "*", "network", "x", "deny", "", "f", "t", "f", NULL, "f" }, PW_ERR_SYNTAX },
	{ "no kind", CATALOG_ACCESS_LISTS, { "1", "*", "helo", "x", "deny", "", "f", "t", "f", NULL, "f" }, PW_ERR_SYNTAX },
	{ "no action", CATALOG_ACCESS_LISTS, { "1", "*", "sender", "x", "warn", "", "f", "t", "f", NULL, "f" }, PW_ERR_SYNTAX },
	{ "no who", CATALOG_ACCESS_LISTS, { "1", NULL, "sender", "x", "deny", "", "f", "t", "f", NULL, "f" }, PW_ERR_SYNTAX },
	{ "no pattern", CATALOG_ACCESS_LISTS, { "1", "*", "sender", "", "deny", "", "f", "t", "f", NULL, "f" }, PW_ERR_SYNTAX },
	{ "no id", CATALOG_ACCESS_LISTS, { NULL, "*", "sender", "x", "deny", "", "f", "t", "f", NULL, "f" }, PW_ERR_SYNTAX },
	{ "no end", CATALOG_ACCESS_LISTS, { "1", "*", "sender", "x", "deny", "", "f", "t", "f", "soon", "f" }, PW_ERR_SYNTAX },
	{ "a right", CATALOG_POSTING_RIGHTS, { "l@b.test", "members", "", "f", "", "f", "1" }, PW_OK },
	{ "a right of none", CATALOG_POSTING_RIGHTS, { "l", "members", "", "f", "", "f", "1" }, PW_ERR_SYNTAX },
	{ "an unknown right", CATALOG_POSTING_RIGHTS, { "l@b.test", "friends", "", "f", "", "f", "1" }, PW_ERR_SYNTAX },
	{ "a setting", CATALOG_ACCESS_SETTINGS, { "greylist_delay", "60" }, PW_OK },
	{ "an unknown setting", CATALOG_ACCESS_SETTINGS, { "greylist_colour", "grey" }, PW_OK },
	{ "a setting that is none", CATALOG_ACCESS_SETTINGS, { "greylist", "perhaps" }, PW_ERR_SYNTAX },
	{ "a number that is none", CATALOG_ACCESS_SETTINGS, { "stolen_window", "3 hours" }, PW_ERR_SYNTAX },
	{ "too many networks", CATALOG_ACCESS_SETTINGS, { "stolen_networks", "65" }, PW_ERR_RANGE },
	{ "no delay", CATALOG_ACCESS_SETTINGS, { "greylist_delay", "0" }, PW_ERR_RANGE },
	{ "an owner", CATALOG_SENDERS, { "a@b.test", "@c.test" }, PW_OK },
	{ "an owner of everything", CATALOG_SENDERS, { "a@b.test", "*" }, PW_ERR_SYNTAX },
	{ "an address not in normal form", CATALOG_SENDERS, { "a@b.test", "X@c.test" }, PW_ERR_SYNTAX },
	{ "a login without a domain", CATALOG_SENDERS, { "ann", "x@c.test" }, PW_OK },
	{ "an owner of nothing", CATALOG_SENDERS, { "a@b.test", NULL }, PW_ERR_SYNTAX },
	{ "nobody owns", CATALOG_SENDERS, { NULL, "x@c.test" }, PW_ERR_SYNTAX },
};
/* clang-format on */

static void check_add(void **state)
{
	const struct add_row *row = *state;
	struct catalog *catalog = NULL;
	struct pw_str fields[11];

	for (size_t i = 0; i < PW_LEN(fields); i++)
		fields[i] = row->fields[i] != NULL ? pw_str_from(row->fields[i])
		                                   : (struct pw_str){ NULL, 0 };
	assert_int_equal(catalog_new(&catalog, seed, '+'), PW_OK);
	assert_int_equal(catalog_add(catalog, row->table, fields), row->status);
	catalog_free(&catalog);
}

static struct net_row {
	const char *label, *net, *ip;
	bool is_in;
} net_rows[] = {
	{ "one address", "192.0.2.7/32", "192.0.2.7", true },
	{ "its neighbour", "192.0.2.7/32", "192.0.2.6", false },
	{ "without a length", "192.0.2.7", "192.0.2.7", true },
	{ "/25, lower half", "192.0.2.0/25", "192.0.2.127", true },
	{ "/25, upper half", "192.0.2.0/25", "192.0.2.128", false },
	{ "host bits", "192.0.2.99/24", "192.0.2.1", true },
	{ "everything", "0.0.0.0/0", "203.0.113.9", true },
	{ "but not of the other family", "0.0.0.0/0", "2001:db8::1", false },
	{ "IPv6 /33", "2001:db8:8000::/33", "2001:db8:ffff::1", true },
	{ "IPv6 /33, other half", "2001:db8:8000::/33", "2001:db8:7fff::1", false },
	{ "IPv6 /128", "2001:db8::1/128", "2001:db8::1", true },
};

static void check_net(void **state)
{
	const struct net_row *row = *state;
	struct access_question question = { .sender = PW_STR("a@b.test") };
	struct access_judgement said;
	struct access *access = NULL;

	assert_int_equal(access_new(&access, seed), PW_OK);
	assert_true(access_is_empty(access));
	assert_int_equal(access_add(access, (struct pw_str[]){ PW_STR("7"),
	                                                       PW_STR("*"),
	                                                       PW_STR("network"),
	                                                       pw_str_from(row->net),
	                                                       PW_STR("deny"),
	                                                       PW_STR(""),
	                                                       PW_STR("f"),
	                                                       PW_STR("t"),
	                                                       PW_STR("f"),
	                                                       { NULL, 0 },
	                                                       PW_STR("f") }),
	                 PW_OK);
	assert_false(access_is_empty(access));
	assert_int_equal(pw_ip_parse(&question.client, pw_str_from(row->ip)), PW_OK);
	access_judge(&said, access, &question, 0);
	assert_int_equal(said.deny != NULL, row->is_in);
	access_free(&access);
}

static struct exempt_row {
	const char *label, *list, *login;
	bool is_exempt;
} exempt_rows[] = {
	{ "nobody", "", "ann@b.test", false },
	{ "a login", "bob@b.test ann@b.test", "ann@b.test", true },
	{ "another", "bob@b.test ann@b.test", "eve@b.test", false },
	{ "a domain", "@b.test", "eve@b.test", true },
	{ "not below it", "@b.test", "eve@c.b.test", false },
	{ "no address", "@b.test", "eve", false },
};

static void check_exempt(void **state)
{
	const struct exempt_row *row = *state;
	struct access_settings set = { .stolen_exempt = pw_str_from(row->list) };

	assert_int_equal(access_settings_exempts(&set, pw_str_from(row->login)),
	                 row->is_exempt);
}

int main(void)
{
	struct CMUnitTest
		tests[PW_LEN(add_rows) + PW_LEN(net_rows) + PW_LEN(exempt_rows)];

	PW_TABLE_TESTS(tests, 0, add_rows, check_add);
	PW_TABLE_TESTS(tests, PW_LEN(add_rows), net_rows, check_net);
	PW_TABLE_TESTS(tests, PW_LEN(add_rows) + PW_LEN(net_rows), exempt_rows,
	               check_exempt);
	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
