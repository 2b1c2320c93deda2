#include "../table.h"

#include <string.h>

#include "policyd/logins.h"

struct row {
	const char *label;
	const char *user, *service, *address;
	int64_t credential, after_ms; /* the login of check_row's beginning */
	bool is_news;
};

static struct row rows[] = {
	{ "the same at once", "ann", "imap", "192.0.2.7", 0, 0, false },
	{ "the same just before a minute", "ann", "imap", "192.0.2.7", 0, 59999, false },
	{ "the same after a minute", "ann", "imap", "192.0.2.7", 0, 60000, true },
	{ "another address", "ann", "imap", "192.0.2.8", 0, 1, true },
	{ "address no longer known", "ann", "imap", NULL, 0, 1, true },
	{ "another service", "ann", "pop3", "192.0.2.7", 0, 1, true },
	{ "another credential", "ann", "imap", "192.0.2.7", 3, 1, true },
	{ "another user", "bob", "imap", "192.0.2.7", 0, 1, true },
	{ "where one ends and the other begins", "anni", "map", "192.0.2.7", 0, 1, true },
};

static const uint8_t seed[16] = { 2 };

static struct login_note note_of(const char *user, const char *service,
                                 const char *address, int64_t credential)
{
	struct login_note note = {
		pw_str_from(user), pw_str_from(service), { 0 }, credential
	};

	if (address != NULL)
		assert_int_equal(pw_ip_parse(&note.address, pw_str_from(address)), PW_OK);
	return note;
}

static void check_row(void **state)
{
	const struct row *row = *state;
	const struct login_note first = note_of("ann", "imap", "192.0.2.7", 0);
	const struct login_note second =
		note_of(row->user, row->service, row->address, row->credential);
	PW_AUTO(logins_free) struct logins *logins = NULL;

	assert_int_equal(logins_new(&logins, seed), PW_OK);
	assert_true(logins_is_news(logins, &first, 1000));
	assert_int_equal(logins_is_news(logins, &second, 1000 + row->after_ms),
	                 row->is_news);
	assert_false(logins_is_news(logins, &second, 1000 + row->after_ms));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
