/* What becomes of names, passwords and domains before a database sees them. */
#include "../table.h"

#include "tools/import/sources.h"
#include "tools/import/value.h"

struct row {
	const char *label;
	bool has_domain_list;
	/* what is added: kind letter (d a u l), name, other; parted by blanks */
	const char *add;
	const char *want; /* the same after settling, then -name of what is skipped */
};

static struct row rows[] = {
	{ "domains are made up", false, "u:Ann@D.test l:info@e.test:ann@d.test",
	  "d:d.test d:e.test u:ann@d.test l:info@e.test:ann@d.test " },
	{ "not where there is a list of them", true, "u:ann@d.test", "u:ann@d.test " },
	{ "the target of an alias domain", false, "a:x.test:d.test",
	  "d:d.test a:x.test:d.test " },
	{ "domain and alias domain at once", true, "d:d.test d:x.test a:x.test:d.test",
	  "d:d.test a:x.test:d.test " },
	{ "mailboxes make it a domain", true, "d:x.test a:x.test:d.test u:ann@x.test",
	  "d:x.test u:ann@x.test -x.test " },
	{ "addresses of an alias domain", true,
	  "a:x.test:d.test l:abuse@x.test:ann@d.test", "a:x.test:d.test -abuse@x.test " },
	{ "catch-all", false, "l:@d.test:ann@d.test", "d:d.test l:@d.test:ann@d.test " },
	{ "final dot", true, "d:D.Test.", "d:d.test " },
	{ "no domain", true, "d:d..test", "-d..test " },
	{ "no address", true, "u:ann", "-ann " },
	{ "a mailbox twice", true, "u:ann@d.test u:Ann@d.test",
	  "u:ann@d.test -ann@d.test " },
};

static enum import_kind kind_of(char letter)
{
	return letter == 'd'   ? IMPORT_DOMAIN
	       : letter == 'a' ? IMPORT_ALIAS_DOMAIN
	       : letter == 'u' ? IMPORT_USER
	                       : IMPORT_ALIAS;
}

static void add(struct import_plan *plan, struct pw_str text)
{
	struct import_place place = { "file", 1 };

	while (text.len > 0) {
		struct pw_str item = pw_str_cut(&text, ' ');
		struct pw_str kind = pw_str_cut(&item, ':');
		struct pw_str name = pw_str_cut(&item, ':');

		(void)import_add(plan, kind_of(kind.at[0]), place, name, item);
	}
}

static void print(struct pw_buf *out, const struct import_plan *plan)
{
	for (size_t kind = 0; kind < IMPORT_KINDS; kind++) {
		for (const struct import_row *r = plan->rows[kind]; r; r = r->next) {
			pw_buf_printf(out, "%c:%.*s", "daulp"[kind],
			              PW_FMT(r->values[0]));
			if (kind == IMPORT_ALIAS || kind == IMPORT_ALIAS_DOMAIN)
				pw_buf_printf(out, ":%.*s", PW_FMT(r->values[1]));
			pw_buf_putc(out, ' ');
		}
	}
	for (const struct import_note *n = plan->skipped.first; n; n = n->next)
		pw_buf_printf(out, "-%.*s ", PW_FMT(n->what));
}

static void check(void **state)
{
	static const uint8_t seed[16];
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	PW_AUTO(import_plan_done) struct import_plan plan = { 0 };

	assert_int_equal(import_plan_init(&plan, seed), PW_OK);
	plan.has_domain_list = row->has_domain_list;
	add(&plan, pw_str_from(row->add));
	import_settle(&plan);
	assert_int_equal(plan.status, PW_OK);
	print(&got, &plan);
	assert_string_equal(pw_buf_text(&got), row->want);
}

struct list_row {
	const char *label, *source, *list, *want;
};

static struct list_row list_rows[] = {
	{ "one", "info@d.test", "ann@d.test", "l:info@d.test:ann@d.test " },
	{ "itself alone is a mailbox", "ann@d.test", "Ann@d.test", "" },
	{ "itself and another keeps a copy", "ann@d.test", "ann@d.test,bob@e.test",
	  "l:ann@d.test:ann@d.test l:ann@d.test:bob@e.test " },
	{ "whole domains", "@x.test", "@d.test", "a:x.test:d.test " },
	{ "one address to a domain", "ann@x.test", "@d.test", "-ann@x.test " },
	{ "local account", "root@d.test", "root", "-root@d.test " },
	{ "program", "list@d.test", "|/usr/bin/list", "-list@d.test " },
	{ "answer for absence", "ann@d.test", "ann#d.test@autoreply.d.test",
	  "-ann@d.test " },
	{ "localhost", "void@d.test", "null@localhost", "-void@d.test " },
	{ "nowhere", "void@d.test", " , ", "-void@d.test " },
	{ "an address with a #", "a@d.test", "b#c@d.test", "l:a@d.test:b#c@d.test " },
};

static void check_list(void **state)
{
	static const uint8_t seed[16];
	const struct list_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	PW_AUTO(import_plan_done) struct import_plan plan = { 0 };

	assert_int_equal(import_plan_init(&plan, seed), PW_OK);
	import_alias_list(&plan, (struct import_place){ "file", 1 },
	                  pw_str_from(row->source), pw_str_from(row->list),
	                  (struct pw_str){ NULL, 0 });
	print(&got, &plan);
	assert_string_equal(pw_buf_text(&got), row->want);
}

static void words_become_utf8(void **state)
{
	static const uint8_t seed[16];
	PW_AUTO(import_plan_done) struct import_plan plan = { 0 };
	struct pw_str words;

	(void)state;
	assert_int_equal(import_plan_init(&plan, seed), PW_OK);
	words = import_words(&plan, PW_STR("M\xfcller \xc3\xbc"));
	assert_true(pw_str_eq(words, PW_STR("M\xef\xbf\xbdller \xc3\xbc")));
	assert_null(import_words(&plan, (struct pw_str){ NULL, 0 }).at);
}

static void quotas_are_rounded_up(void **state)
{
	static const struct {
		int64_t bytes;
		const char *want;
	} sizes[] = {
		{ 0, "0" },       { -1, "0" },      { 1, "1" },
		{ 1048576, "1" }, { 1048577, "2" }, { INT64_MAX, "8796093022208" }
	};
	static const uint8_t seed[16];
	PW_AUTO(import_plan_done) struct import_plan plan = { 0 };
	struct import_row user = { .kind = IMPORT_USER };

	(void)state;
	assert_int_equal(import_plan_init(&plan, seed), PW_OK);
	for (size_t i = 0; i < PW_LEN(sizes); i++) {
		import_set_quota(&plan, &user, sizes[i].bytes);
		assert_true(pw_str_eq(user.values[USER_QUOTA_MB],
		                      pw_str_from(sizes[i].want)));
	}
}

int main(void)
{
	struct CMUnitTest tests[2 + PW_LEN(rows) + PW_LEN(list_rows)] = {
		cmocka_unit_test(words_become_utf8),
		cmocka_unit_test(quotas_are_rounded_up),
	};

	PW_TABLE_TESTS(tests, 2, rows, check);
	PW_TABLE_TESTS(tests, 2 + PW_LEN(rows), list_rows, check_list);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
