#include "../table.h"

#include <string.h>

#include "mail/checks.h"

/* An entry of a list, and what it is to be found for. */
struct row {
	const char *label, *property, *entry, *subject;
	bool is_found;
};

static struct row rows[] = {
	{ "an address", "client", "192.0.2.7", "192.0.2.7", true },
	{ "its neighbour", "client", "192.0.2.7", "192.0.2.6", false },
	{ "a network", "client", "192.0.2.0/29", "192.0.2.7", true },
	{ "behind it", "client", "192.0.2.0/29", "192.0.2.8", false },
	{ "host bits of an entry", "client", "192.0.2.5/29", "192.0.2.1", true },
	{ "odd length", "client", "192.0.0.0/9", "192.127.255.255", true },
	{ "behind odd length", "client", "192.0.0.0/9", "192.128.0.0", false },
	{ "everybody", "client", "0.0.0.0/0", "203.0.113.1", true },
	{ "not the other family", "client", "0.0.0.0/0", "2001:db8::1", false },
	{ "IPv6", "client", "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "behind IPv6", "client", "2001:db8::/33", "2001:db8:8000::1", false },
	{ "one IPv6 address", "client", "2001:db8::1", "2001:db8::1", true },
	{ "mapped", "client", "192.0.2.7", "::ffff:192.0.2.7", true },
	{ "a name", "name", "a.example", "A.example", true },
	{ "a name below", "name", "a.example", "b.a.example", false },
	{ "below", "name", ".a.example", "c.b.a.example", true },
	{ "below is not itself", "name", ".a.example", "a.example", false },
	{ "below begins at a dot", "name", ".a.example", "ba.example", false },
	{ "HELO", "helo", "a.example", "a.example", true },
	{ "not the HELO", "helo", "a.example", "b.example", false },
	{ "sender", "sender", "ann@a.example", "ann@a.example", true },
	{ "another sender", "sender", "ann@a.example", "bob@a.example", false },
	{ "domain of a sender", "sender", "a.example", "bob@a.example", true },
	{ "author", "from", ".example", "ann@a.example", true },
	{ "another author", "from", ".example", "ann@a.test", false },
	{ "recipient", "recipient", "ann@a.example", "ann@a.example", true },
	{ "with extension", "recipient", "ann@a.example", "ann+x@a.example", true },
	{ "not a sender's extension", "sender", "ann@a.example", "ann+x@a.example",
	  false },
	{ "a local part of quotes", "sender", "\"a b\"@a.example", "\"a b\"@a.example",
	  true },
};

static struct pw_weights weights;

static void set(struct pw_arena *arena, struct pw_envelope *e, struct pw_message *m,
                struct pw_mailbox *rcpt, const struct row *row)
{
	struct pw_str subject = pw_str_from(row->subject);

	e->origin.name_state = PW_NAME_KNOWN;
	if (strcmp(row->property, "client") == 0)
		assert_int_equal(pw_ip_parse(&e->origin.address, subject), PW_OK);
	else if (strcmp(row->property, "name") == 0)
		e->origin.name = subject;
	else if (strcmp(row->property, "helo") == 0)
		e->origin.helo = subject;
	else
		assert_int_equal(pw_address_parse(rcpt, arena, subject), PW_OK);
	if (strcmp(row->property, "sender") == 0) {
		e->has_sender = true;
		e->sender = *rcpt;
	} else if (strcmp(row->property, "from") == 0) {
		m->has_from = true;
		m->from = *rcpt;
	} else if (strcmp(row->property, "recipient") == 0) {
		e->recipients = rcpt;
		e->recipient_count = 1;
	}
}

static bool finds(const struct row *row, bool wants_auth, const struct pw_auth *auth)
{
	PW_AUTO(pw_own_maps_free) struct pw_own_maps *maps = NULL;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	static struct pw_hits hits;
	struct pw_envelope envelope = { 0 };
	struct pw_mailbox rcpt;
	struct pw_check check;
	unsigned symbol, other;

	hits = (struct pw_hits){ 0 };
	pw_weights_default(&weights);
	assert_int_equal(pw_own_maps_new(&maps), PW_OK);
	assert_int_equal(pw_arena_new(&arena, PW_MESSAGE_ARENA_MAX), PW_OK);
	assert_int_equal(pw_message_new(&m, arena), PW_OK);
	assert_int_equal(pw_weights_own(&weights, PW_STR("LIST"), PW_STR("own"), &symbol),
	                 PW_OK);
	assert_int_equal(pw_weights_own(&weights, PW_STR("TWIN"), PW_STR("own"), &other),
	                 PW_OK);
	assert_int_equal(pw_own_maps_add(maps, &weights, PW_STR("LIST"),
	                                 pw_str_from(row->property), wants_auth, &why),
	                 PW_OK);
	assert_int_equal(pw_own_maps_add(maps, &weights, PW_STR("TWIN"),
	                                 pw_str_from(row->property), wants_auth, &why),
	                 PW_OK);
	assert_int_equal(pw_own_maps_put(maps, PW_STR("LIST"), pw_str_from(row->entry)),
	                 PW_OK);
	assert_int_equal(pw_own_maps_put(maps, PW_STR("TWIN"), pw_str_from(row->entry)),
	                 PW_OK);
	set(arena, &envelope, m, &rcpt, row);
	check = (struct pw_check){ .message = m,
		                   .envelope = &envelope,
		                   .own_maps = maps,
		                   .auth = auth,
		                   .arena = arena,
		                   .hits = &hits };
	pw_check_own_maps(&check);
	assert_int_equal(pw_hits_has(&hits, symbol), pw_hits_has(&hits, other));
	return pw_hits_has(&hits, symbol);
}

static void check_row(void **state)
{
	const struct row *row = *state;

	assert_int_equal(finds(row, false, NULL), row->is_found);
}

static void forgeries_are_in_no_list_that_asks(void **state)
{
	const struct row from = { "", "from", "a.example", "ann@a.example", true };
	const struct row sender = { "", "sender", "a.example", "ann@a.example", true };
	struct pw_auth auth = { 0 };

	(void)state;
	assert_false(finds(&from, true, NULL) || finds(&sender, true, NULL));
	auth.dmarc.result = PW_DMARC_FAIL;
	auth.has_spf = true;
	auth.spf.result = PW_SPF_SOFTFAIL;
	assert_false(finds(&from, true, &auth) || finds(&sender, true, &auth));
	auth.spf.result = PW_SPF_PASS;
	assert_true(!finds(&from, true, &auth) && finds(&sender, true, &auth));
	auth.is_spf_helo = true;
	auth.dmarc.result = PW_DMARC_PASS;
	assert_true(finds(&from, true, &auth) && !finds(&sender, true, &auth));
}

static void what_is_no_entry_is_refused(void **state)
{
	PW_AUTO(pw_own_maps_free) struct pw_own_maps *maps = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	unsigned symbol;

	(void)state;
	pw_weights_default(&weights);
	assert_int_equal(pw_own_maps_new(&maps), PW_OK);
	assert_int_equal(pw_weights_own(&weights, PW_STR("LIST"), PW_STR("own"), &symbol),
	                 PW_OK);
	assert_int_equal(pw_own_maps_add(maps, &weights, PW_STR("SPF_FAIL"),
	                                 PW_STR("client"), false, &why),
	                 PW_ERR_SYNTAX);
	assert_int_equal(pw_own_maps_add(maps, &weights, PW_STR("LIST"), PW_STR("smell"),
	                                 false, &why),
	                 PW_ERR_SYNTAX);
	assert_int_equal(pw_own_maps_add(maps, &weights, PW_STR("LIST"), PW_STR("client"),
	                                 false, &why),
	                 PW_OK);
	assert_int_equal(pw_own_maps_put(maps, PW_STR("LIST"), PW_STR("example.org")),
	                 PW_ERR_SYNTAX);
	assert_int_equal(pw_own_maps_put(maps, PW_STR("NONE"), PW_STR("192.0.2.1")),
	                 PW_ERR_NOTFOUND);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 2] = {
		cmocka_unit_test(forgeries_are_in_no_list_that_asks),
		cmocka_unit_test(what_is_no_entry_is_refused),
	};

	PW_TABLE_TESTS(tests, 2, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
