/* Sealed keys open for whom they were sealed, and for nobody else. */
#include "../table.h"

#include <string.h>

#include "mail/dkim_vault.h"

#define ONE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define TWO "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="
#define DOMAIN PW_STR("example.org")
#define SELECTOR PW_STR("s1")
#define PEM PW_STR("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n")

struct row {
	const char *label;
	const char *text;
	enum pw_status status;
	unsigned int line;
	size_t count;
};

static struct row rows[] = {
	/* clang-format off */
	{ "one key",            ONE "\n",                  PW_OK,         0, 1 },
	{ "no final line end",  ONE,                       PW_OK,         0, 1 },
	{ "two and a comment",  "# a\n\n" ONE "\r\n " TWO, PW_OK,         0, 2 },
	{ "empty",              "",                        PW_ERR_SYNTAX, 0, 0 },
	{ "comments only",      "# a\n",                   PW_ERR_SYNTAX, 0, 0 },
	{ "too short",          ONE "\nAAEC\n",            PW_ERR_SYNTAX, 2, 0 },
	{ "33 bytes",           "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A\n", PW_ERR_SYNTAX, 1, 0 },
	{ "a PEM",              "-----BEGIN PRIVATE KEY-----\n", PW_ERR_SYNTAX, 1, 0 },
	/* clang-format on */
};

static void check_file(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_vault_free) struct pw_vault *vault = NULL;
	unsigned int line = 99;

	assert_int_equal(pw_vault_parse(&vault, pw_str_from(row->text), &line),
	                 row->status);
	assert_int_equal(line, row->line);
	if (vault)
		assert_int_equal(pw_vault_count(vault), row->count);
}

static struct pw_vault *vault_of(const char *text)
{
	struct pw_vault *vault = NULL;
	unsigned int line;

	assert_int_equal(pw_vault_parse(&vault, pw_str_from(text), &line), PW_OK);
	return vault;
}

static enum pw_status open_as(const char *keys, struct pw_str domain,
                              struct pw_str selector, struct pw_str sealed)
{
	PW_AUTO(pw_vault_free) struct pw_vault *vault = vault_of(keys);
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	enum pw_status r = pw_vault_open(vault, domain, selector, sealed, &out);

	assert_true(r == PW_OK ? pw_str_eq(pw_buf_str(&out), PEM) : out.len == 0);
	return r;
}

static void check_who_opens(void **state)
{
	PW_AUTO(pw_vault_free) struct pw_vault *vault = vault_of(ONE);
	PW_AUTO(pw_buf_done) struct pw_buf sealed = { 0 };

	(void)state;
	assert_int_equal(pw_vault_seal(vault, DOMAIN, SELECTOR, PEM, &sealed), PW_OK);
	assert_true(pw_vault_is_sealed(pw_buf_str(&sealed)));
	assert_int_equal(open_as(ONE, DOMAIN, SELECTOR, pw_buf_str(&sealed)), PW_OK);
	assert_int_equal(open_as(TWO "\n" ONE, DOMAIN, SELECTOR, pw_buf_str(&sealed)),
	                 PW_OK);
	assert_int_equal(open_as(TWO, DOMAIN, SELECTOR, pw_buf_str(&sealed)),
	                 PW_ERR_NOTFOUND);
	assert_int_equal(
		open_as(ONE, PW_STR("example.com"), SELECTOR, pw_buf_str(&sealed)),
		PW_ERR_CRYPTO);
	assert_int_equal(open_as(ONE, DOMAIN, PW_STR("s2"), pw_buf_str(&sealed)),
	                 PW_ERR_CRYPTO);
	assert_int_equal(open_as(ONE, DOMAIN, SELECTOR, PEM), PW_ERR_SYNTAX);
}

/* No prefix and no changed byte of a sealed key opens. */
static void check_every_byte(void **state)
{
	PW_AUTO(pw_vault_free) struct pw_vault *vault = vault_of(ONE);
	PW_AUTO(pw_buf_done) struct pw_buf sealed = { 0 };

	(void)state;
	assert_int_equal(pw_vault_seal(vault, DOMAIN, SELECTOR, PEM, &sealed), PW_OK);
	for (size_t i = 0; i < sealed.len; i++) {
		char was = sealed.at[i];

		assert_int_not_equal(open_as(ONE, DOMAIN, SELECTOR,
		                             pw_str_sub(pw_buf_str(&sealed), 0, i)),
		                     PW_OK);
		sealed.at[i] = was == 'A' ? 'B' : 'A';
		assert_int_not_equal(open_as(ONE, DOMAIN, SELECTOR, pw_buf_str(&sealed)),
		                     PW_OK);
		sealed.at[i] = was;
	}
}

static void check_new_keys_differ(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_vault_free) struct pw_vault *vault = NULL;

	(void)state;
	assert_int_equal(pw_vault_put_new(&text), PW_OK);
	assert_int_equal(pw_vault_put_new(&text), PW_OK);
	vault = vault_of(pw_buf_text(&text));
	assert_int_equal(pw_vault_count(vault), 2);
	assert_false(pw_str_eq(pw_vault_id(vault, 0), pw_vault_id(vault, 1)));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 3];
	size_t n = 0;

	for (size_t i = 0; i < PW_LEN(rows); i++)
		tests[n++] = (struct CMUnitTest){ rows[i].label, check_file, NULL, NULL,
			                          &rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(check_who_opens);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(check_every_byte);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(check_new_keys_differ);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
