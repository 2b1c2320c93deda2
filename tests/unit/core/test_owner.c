#include "../table.h"

#include "core/owner.h"

static const uint8_t seed[16] = { 7 };

static const char *const rows[][2] = {
	{ "ann@example.test", "ann@example.test" },
	{ "ann@example.test", "sales@example.test" },
	{ "ann@example.test", "sales@example.test" }, /* twice is harmless */
	{ "boss@example.test", "@example.test" },
	{ "boss@example.test", "\"odd one\"@example.org" },
};

struct ask_row {
	const char *label, *login, *address;
	bool plain, delimited; /* without delimiter; with '+' */
};

static struct ask_row ask_rows[] = {
	{ "own address", "ann@example.test", "ann@example.test", true, true },
	{ "own alias", "ann@example.test", "sales@example.test", true, true },
	{ "own subaddress", "ann@example.test", "ann+list@example.test", false, true },
	{ "subaddress twice", "ann@example.test", "ann+a+b@example.test", false, true },
	{ "subaddress of an alias", "ann@example.test", "sales+x@example.test", false,
	  true },
	{ "somebody else", "ann@example.test", "bob@example.test", false, false },
	{ "same local part elsewhere", "ann@example.test", "ann@example.org", false,
	  false },
	{ "longer local part", "ann@example.test", "anna@example.test", false, false },
	{ "nothing before the delimiter", "ann@example.test", "+x@example.test", false,
	  false },
	{ "unknown login", "eve@example.test", "ann@example.test", false, false },
	{ "empty login", "", "ann@example.test", false, false },
	{ "whole domain", "boss@example.test", "any@example.test", true, true },
	{ "whole domain is not its subdomains", "boss@example.test", "a@x.example.test",
	  false, false },
	{ "the pattern itself is no address", "boss@example.test", "@example.test", false,
	  false },
	{ "null sender", "boss@example.test", "", false, false },
	{ "no domain", "boss@example.test", "any@", false, false },
	{ "no at sign", "boss@example.test", "any", false, false },
	{ "quoted address, exact", "boss@example.test", "\"odd one\"@example.org", true,
	  true },
	{ "quotes that only the extension needed", "ann@example.test",
	  "\"ann+x y\"@example.test", false, true },
	{ "quotes that the base needs", "boss@example.test", "\"odd one+x\"@example.org",
	  false, true },
	{ "base in quotes of another", "ann@example.test", "\"odd one+x\"@example.org",
	  false, false },
	{ "quotes around a plain base of another", "boss@example.test",
	  "\"odd+x y\"@example.org", false, false },
	{ "nothing in the quotes before the delimiter", "ann@example.test",
	  "\"+x y\"@example.test", false, false },
};

static struct pw_owner *build(char delimiter)
{
	struct pw_owner *owner = NULL;

	assert_int_equal(pw_owner_new(&owner, seed, delimiter), PW_OK);
	for (size_t i = 0; i < PW_LEN(rows); i++)
		assert_int_equal(pw_owner_add(owner, pw_str_from(rows[i][0]),
		                              pw_str_from(rows[i][1])),
		                 PW_OK);
	return owner;
}

static void check_ask(void **state)
{
	const struct ask_row *row = *state;
	PW_AUTO(pw_owner_free) struct pw_owner *plain = build('\0');
	PW_AUTO(pw_owner_free) struct pw_owner *delimited = build('+');
	struct pw_str login = pw_str_from(row->login),
		      address = pw_str_from(row->address);

	assert_int_equal(pw_owner_may_send(plain, login, address), row->plain);
	assert_int_equal(pw_owner_may_send(delimited, login, address), row->delimited);
}

static void rows_are_counted_once(void **state)
{
	PW_AUTO(pw_owner_free) struct pw_owner *owner = build('+');

	(void)state;
	assert_int_equal(pw_owner_count(owner), PW_LEN(rows) - 1);
}

static void names_beyond_the_maximum_belong_to_nobody(void **state)
{
	PW_AUTO(pw_owner_free) struct pw_owner *owner = build('+');
	static char long_name[PW_OWNER_NAME_MAX + 1];
	struct pw_str name = { long_name, sizeof(long_name) };

	(void)state;
	for (size_t i = 0; i < sizeof(long_name); i++)
		long_name[i] = i == 100 ? '@' : 'x';
	assert_int_equal(pw_owner_add(owner, name, PW_STR("a@b")), PW_ERR_SYNTAX);
	assert_false(pw_owner_may_send(owner, name, PW_STR("a@b")));
	assert_false(pw_owner_may_send(owner, PW_STR("boss@example.test"), name));
}

int main(void)
{
	struct CMUnitTest tests[2 + PW_LEN(ask_rows)] = {
		cmocka_unit_test(rows_are_counted_once),
		cmocka_unit_test(names_beyond_the_maximum_belong_to_nobody),
	};

	PW_TABLE_TESTS(tests, 2, ask_rows, check_ask);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
