#include "../table.h"

#include "mail/checks.h"

/* The first source fires the symbol, the second is silent. */
struct row {
	const char *label;
	enum pw_symbol symbol;
	struct pw_reputation_source fires, silent;
};

#define A { "a.test", 6 }
/* clang-format off */
static struct row rows[] = {
	{ "network bad",  PW_SYM_REP_IP_SPAM,          { PW_REPUTATION_NETWORK, A, 50000, 0 }, { PW_REPUTATION_NETWORK, A, 5000, 0 } },
	{ "network good", PW_SYM_REP_IP_HAM,           { PW_REPUTATION_NETWORK, A, 0, 50000 }, { PW_REPUTATION_NETWORK, A, 10000, 50000 } },
	{ "sender bad",   PW_SYM_REP_SENDER_SPAM,      { PW_REPUTATION_SENDER,  A, 50000, 0 }, { PW_REPUTATION_SENDER,  A, 30000, 20000 } },
	{ "sender good",  PW_SYM_REP_SENDER_HAM,       { PW_REPUTATION_SENDER,  A, 0, 50000 }, { PW_REPUTATION_SENDER,  A, 0, 9000 } },
	{ "signer bad",   PW_SYM_REP_DKIM_DOMAIN_SPAM, { PW_REPUTATION_DKIM,    A, 50000, 0 }, { PW_REPUTATION_DKIM,    A, 0, 50000 } },
	{ "signer good",  PW_SYM_REP_DKIM_DOMAIN_HAM,  { PW_REPUTATION_DKIM,    A, 0, 50000 }, { PW_REPUTATION_DKIM,    A, 50000, 0 } },
	{ "links bad",    PW_SYM_REP_URL_DOMAIN_SPAM,  { PW_REPUTATION_URL,     A, 50000, 0 }, { PW_REPUTATION_URL,     A, 0, 50000 } },
};
/* clang-format on */

static bool fires(const struct pw_reputation_source *source, enum pw_symbol symbol)
{
	static struct pw_hits hits;
	static struct pw_message message;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	const struct pw_reputation reputation = { { *source }, 1 };
	const struct pw_envelope envelope = { 0 };

	hits = (struct pw_hits){ 0 };
	assert_int_equal(pw_arena_new(&arena, 65536), PW_OK);
	pw_checks_session(&(struct pw_check){ .message = &message,
	                                      .envelope = &envelope,
	                                      .reputation = &reputation,
	                                      .arena = arena,
	                                      .hits = &hits });
	return pw_hits_has(&hits, symbol);
}

static void check_row(void **state)
{
	const struct row *row = *state;

	assert_true(fires(&row->fires, row->symbol));
	assert_false(fires(&row->silent, row->symbol));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
