/* Lists of Postfix: what comes in where, and what is never there twice. */
#include "../table.h"

#include "tools/setup/list.h"

static struct add_row {
	const char *label, *list, *item, *key;
	enum setup_place place;
	const char *want;
} add_rows[] = {
	{ "into an empty list", "", "unix:a.sock", "unix:a.sock", SETUP_LAST,
	  "unix:a.sock" },
	{ "in front", "inet:localhost:1", "unix:a.sock", "unix:a.sock", SETUP_FIRST,
	  "unix:a.sock, inet:localhost:1" },
	{ "at the end", "inet:localhost:1", "unix:a.sock", "unix:a.sock", SETUP_LAST,
	  "inet:localhost:1, unix:a.sock" },
	{ "there already", "inet:localhost:1 unix:a.sock", "unix:a.sock", "unix:a.sock",
	  SETUP_FIRST, "inet:localhost:1 unix:a.sock" },
	{ "there with settings of its own",
	  "check_policy_service { unix:p.sock, timeout=9s }, permit",
	  "check_policy_service { unix:p.sock, timeout=5s }", "unix:p.sock",
	  SETUP_BEFORE_END, "check_policy_service { unix:p.sock, timeout=9s }, permit" },
	{ "part of another word is not it", "unix:a.sock2", "unix:a.sock", "unix:a.sock",
	  SETUP_LAST, "unix:a.sock2, unix:a.sock" },
	{ "a setting of another is not it", "{ unix:b, x=unix:a }", "unix:a", "unix:a",
	  SETUP_LAST, "{ unix:b, x=unix:a }, unix:a" },
	{ "before permit", "permit_mynetworks reject_unauth_destination permit",
	  "policy x", "x", SETUP_BEFORE_END,
	  "permit_mynetworks reject_unauth_destination, policy x, permit" },
	{ "before a bare reject", "permit_sasl_authenticated,reject", "policy x", "x",
	  SETUP_BEFORE_END, "permit_sasl_authenticated, policy x, reject" },
	{ "no end: last", "permit_mynetworks,reject_rbl_client zen", "policy x", "x",
	  SETUP_BEFORE_END, "permit_mynetworks,reject_rbl_client zen, policy x" },
	{ "a reject that is only logged is no end",
	  "warn_if_reject reject, reject_y, permit", "policy x", "x", SETUP_BEFORE_END,
	  "warn_if_reject reject, reject_y, policy x, permit" },
	{ "permit inside of a group is none", "check_x { permit }, reject_y", "policy x",
	  "x", SETUP_BEFORE_END, "check_x { permit }, reject_y, policy x" },
};

static void check_add(void **state)
{
	const struct add_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 }, again = { 0 };

	setup_list_add(&out, pw_str_from(row->list), pw_str_from(row->item),
	               pw_str_from(row->key), row->place);
	assert_string_equal(pw_buf_text(&out), row->want);
	setup_list_add(&again, pw_buf_str(&out), pw_str_from(row->item),
	               pw_str_from(row->key), row->place);
	assert_string_equal(pw_buf_text(&again), row->want);
}

static struct close_row {
	const char *label, *list, *want;
} close_rows[] = {
	{ "relay: Debian's list",
	  "permit_mynetworks permit_sasl_authenticated defer_unauth_destination",
	  "permit_mynetworks permit_sasl_authenticated, reject_unauth_destination" },
	{ "relay: closed already", "permit_mynetworks, reject_unauth_destination",
	  "permit_mynetworks, reject_unauth_destination" },
	{ "relay: nothing refuses", "permit_mynetworks",
	  "permit_mynetworks, reject_unauth_destination" },
	{ "relay: permit comes first", "permit, reject_unauth_destination",
	  "reject_unauth_destination, permit, reject_unauth_destination" },
	{ "relay: for now, after permit",
	  "permit_mynetworks, permit, defer_unauth_destination",
	  "permit_mynetworks, reject_unauth_destination, permit, "
	  "defer_unauth_destination" },
	{ "relay: what follows stays", "defer_unauth_destination, check_x hash:y",
	  "reject_unauth_destination, check_x hash:y" },
	{ "relay: reject refuses all", "permit_mynetworks,reject",
	  "permit_mynetworks,reject" },
	{ "relay: a refusal that is only logged",
	  "permit_mynetworks, warn_if_reject reject_unauth_destination, permit",
	  "permit_mynetworks, warn_if_reject reject_unauth_destination, "
	  "reject_unauth_destination, permit" },
	{ "relay: empty", "", "reject_unauth_destination" },
};

static void check_close(void **state)
{
	const struct close_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 }, again = { 0 };

	setup_list_close_relay(&out, pw_str_from(row->list));
	assert_string_equal(pw_buf_text(&out), row->want);
	setup_list_close_relay(&again, pw_buf_str(&out));
	assert_string_equal(pw_buf_text(&again), row->want);
}

static bool is_word(struct pw_str item, const void *arg)
{
	return pw_str_eq(item, pw_str_from(arg));
}

static struct close_row without_rows[] = {
	{ "without: the first", "gone, b  c", "b, c" },
	{ "without: the last", "a b, gone", "a, b" },
	{ "without: all", "gone", "" },
	{ "without: none, as it was written", "a,  b\tc", "a,  b\tc" },
};

static void check_without(void **state)
{
	const struct close_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	setup_list_without(&out, pw_str_from(row->list), is_word, "gone");
	assert_string_equal(pw_buf_text(&out), row->want);
}

static struct close_row exchange_rows[] = {
	{ "exchange: the one item", "old", "new" },
	{ "exchange: in its place", "hash:/a,  old\tb", "hash:/a,  new\tb" },
	{ "exchange: each time", "old, old", "new, new" },
	{ "exchange: not a part of a word", "older proxy:old", "older proxy:old" },
	{ "exchange: none, as it was written", "a,  b\tc ", "a,  b\tc " },
	{ "exchange: nothing", "", "" },
};

static void check_exchange(void **state)
{
	const struct close_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	setup_list_exchange(&out, pw_str_from(row->list), PW_STR("old"), PW_STR("new"));
	assert_string_equal(pw_buf_text(&out), row->want);
}

int main(void)
{
	enum { ADD = PW_LEN(add_rows), CLOSE = PW_LEN(close_rows) };
	enum { WITHOUT = PW_LEN(without_rows) };
	struct CMUnitTest tests[ADD + CLOSE + WITHOUT + PW_LEN(exchange_rows)];

	PW_TABLE_TESTS(tests, 0, add_rows, check_add);
	PW_TABLE_TESTS(tests, ADD, close_rows, check_close);
	PW_TABLE_TESTS(tests, ADD + CLOSE, without_rows, check_without);
	PW_TABLE_TESTS(tests, ADD + CLOSE + WITHOUT, exchange_rows, check_exchange);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
