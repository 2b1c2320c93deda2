#include "../table.h"

#include <string.h>

#include "core/address.h"

/* tests/vectors/addresses.tsv: the rows every part of the suite agrees on. */
static const char *expected_word(enum pw_status r)
{
	switch ((int)r) {
	case PW_ERR_NOTFOUND:
		return "null";
	case PW_ERR_SYNTAX:
		return "syntax";
	case PW_ERR_LIMIT:
		return "limit";
	default:
		return pw_status_text(r);
	}
}

static void shared_vectors_hold(void **state)
{
	FILE *file = fopen(PW_SOURCE_DIR "/tests/vectors/addresses.tsv", "r");
	char line[1024];
	int rows = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
		char *tab = strchr(line, '\t');
		enum pw_status r;

		if (line[0] == '#' || tab == NULL)
			continue;
		*tab = '\0';
		tab[strcspn(tab + 1, "\n") + 1] = '\0';
		r = pw_address_normalise(&out, pw_str_from(line));
		if (strcmp(r == PW_OK ? pw_buf_text(&out) : expected_word(r), tab + 1) !=
		    0)
			fail_msg("%s: %s, expected %s", line,
			         r == PW_OK ? pw_buf_text(&out) : expected_word(r),
			         tab + 1);
		rows++;
	}
	fclose(file);
	assert_true(rows > 30);
}

#define OPEN10 "(((((((((("
#define CLOSE10 "))))))))))"

struct from_row {
	const char *label, *value, *expected; /* NULL = syntax error */
};

static struct from_row from_rows[] = {
	{ "bare", "ann@example.test", "ann@example.test" },
	{ "RFC 5322 A.1.1", "John Doe <jdoe@machine.example>", "jdoe@machine.example" },
	{ "RFC 5322 A.1.2 quoted", "\"Joe Q. Public\" <john.q.public@example.com>",
	  "john.q.public@example.com" },
	{ "RFC 5322 A.5 comments",
	  "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
	  "pete@silly.test" },
	{ "RFC 5322 A.6.1 obsolete blanks",
	  "Joe Q. Public <john . q . public@example.com>", "john.q.public@example.com" },
	{ "folded", "Ann\r\n <Ann@Example.Test>\r\n", "ann@example.test" },
	{ "encoded word", "=?utf-8?q?=22a=40b=2Ctest=22?= <ann@example.test>",
	  "ann@example.test" },
	{ "address in the display name", "\"Bob <bob@example.org>\" <ann@example.test>",
	  "ann@example.test" },
	{ "quoted local part", "\"A <x@y>\"@example.test", "\"a <x@y>\"@example.test" },
	{ "route", "<@relay.test:ann@example.test>", "ann@example.test" },
	{ "comments nested 50 deep",
	  OPEN10 OPEN10 OPEN10 OPEN10 OPEN10 "x" CLOSE10 CLOSE10 CLOSE10 CLOSE10 CLOSE10
	                                     "ann @example.test",
	  "ann@example.test" },
	{ "leading empty list entries", ", ,ann@example.test,", "ann@example.test" },
	{ "two", "a@example.test, b@example.test", NULL },
	{ "none", " ", NULL },
	{ "group", "team: ann@example.test;", NULL },
	{ "empty group", "undisclosed-recipients:;", NULL },
	{ "display name only", "Ann Example", NULL },
	{ "text after the angle", "<ann@example.test> bob@example.test", NULL },
	{ "two angles", "<a@example.test> <b@example.test>", NULL },
	{ "words beside a bare address", "Ann ann@example.test", NULL },
	{ "broken then good", "Ann, ann@example.test", NULL },
	{ "unclosed angle", "Ann <ann@example.test", NULL },
	{ "unclosed quote", "\"Ann <ann@example.test>", NULL },
	{ "unclosed comment", "(x ann@example.test", NULL },
	{ "empty angle", "Ann <>", NULL },
	{ "two at signs", "ann@example.test@example.org", NULL },
};

static void check_from(void **state)
{
	const struct from_row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_mailbox box = { 0 };
	enum pw_status r;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	r = pw_from_mailbox(&box, arena, pw_str_from(row->value));
	assert_int_equal(r, row->expected != NULL ? PW_OK : PW_ERR_SYNTAX);
	if (row->expected == NULL)
		return;
	pw_address_put(&text, &box);
	assert_string_equal(pw_buf_text(&text), row->expected);
}

static void list_gives_display_names_and_group_members(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_addrlist list;
	struct pw_addrlist_item item;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	pw_addrlist_init(&list, arena,
	                 PW_STR("A Group:Ed Jones <joe@where.test>,john@jdoe.test;, "
	                        "nonsense, \"O\\\"Hara, M\" <m@example.test>"));
	assert_true(pw_addrlist_next(&list, &item));
	assert_true(pw_str_eq(item.display, PW_STR("Ed Jones")));
	assert_true(pw_str_eq(item.mailbox.domain, PW_STR("where.test")));
	assert_true(pw_addrlist_next(&list, &item));
	assert_true(pw_str_eq(item.mailbox.local, PW_STR("john")));
	assert_int_equal(item.display.len, 0);
	assert_true(pw_addrlist_next(&list, &item));
	assert_true(item.is_broken);
	assert_true(pw_str_eq(item.display, PW_STR("nonsense")));
	assert_true(pw_addrlist_next(&list, &item));
	assert_true(pw_str_eq(item.display, PW_STR("O\"Hara, M")));
	assert_true(pw_str_eq(item.mailbox.local, PW_STR("m")));
	assert_false(pw_addrlist_next(&list, &item));
}

static void base_cuts_the_extension(void **state)
{
	(void)state;
	assert_true(pw_str_eq(pw_address_base(PW_STR("ann+x+y"), '+'), PW_STR("ann")));
	assert_true(pw_str_eq(pw_address_base(PW_STR("ann"), '+'), PW_STR("ann")));
	assert_true(pw_str_eq(pw_address_base(PW_STR("+ann"), '+'), PW_STR("+ann")));
}

static void base_of_an_address(void **state)
{
	static const struct {
		struct pw_str address, base; /* empty: none */
	} cases[] = {
		{ PW_STR("ann+x+y@d.test"), PW_STR("ann@d.test") },
		{ PW_STR("ann@d.test"), PW_STR("") },
		{ PW_STR("+ann@d.test"), PW_STR("") },
		{ PW_STR("ann+@d.test"), PW_STR("ann@d.test") },
		{ PW_STR("\"a b+x\"@d.test"), PW_STR("\"a b\"@d.test") },
		{ PW_STR("\"ann+x y\"@d.test"), PW_STR("ann@d.test") },
		{ PW_STR("\"a@b+x\"@d.test"), PW_STR("\"a@b\"@d.test") },
		{ PW_STR("\"a\\\"+x\"@d.test"), PW_STR("\"a\\\"\"@d.test") },
		{ PW_STR("\"+x y\"@d.test"), PW_STR("") },
		{ PW_STR("\"a b\"@d.test"), PW_STR("") },
		{ PW_STR("@d.test"), PW_STR("") },
		{ PW_STR("ann+x"), PW_STR("") },
		{ PW_STR(""), PW_STR("") },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(cases); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

		assert_int_equal(pw_address_put_base(&out, cases[i].address, '+'),
		                 cases[i].base.len > 0);
		assert_true(pw_str_eq(pw_buf_str(&out), cases[i].base));
		assert_false(pw_address_put_base(&out, cases[i].address, '\0'));
	}
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(from_rows) + 4] = {
		cmocka_unit_test(shared_vectors_hold),
		cmocka_unit_test(list_gives_display_names_and_group_members),
		cmocka_unit_test(base_cuts_the_extension),
		cmocka_unit_test(base_of_an_address),
	};

	PW_TABLE_TESTS(tests, 4, from_rows, check_from);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
