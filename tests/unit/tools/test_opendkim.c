#include "../table.h"

#include "core/buf.h"
#include "tools/dkim/opendkim.h"

struct scope_row {
	const char *label, *pattern;
	bool is_refile;
	enum opendkim_scope scope;
	const char *domain; /* "" where it does not matter */
};

static struct scope_row scope_rows[] = {
	{ "*@domain", "*@d.test", true, OPENDKIM_DOMAIN, "d.test" },
	{ "*@domain of a plain file", "*@d.test", false, OPENDKIM_DOMAIN, "d.test" },
	{ "domain of a plain file", "d.test", false, OPENDKIM_DOMAIN, "d.test" },
	{ "bare domain of a refile", "d.test", true, OPENDKIM_NOTHING, "" },
	{ "everything", "*", true, OPENDKIM_ALL, "" },
	{ "everything with @", "*@*", true, OPENDKIM_ALL, "" },
	{ "one address", "ann@d.test", true, OPENDKIM_ADDRESS, "" },
	{ "one name anywhere", "ann@*", true, OPENDKIM_ADDRESS, "" },
	{ "subdomains", "*@*.d.test", true, OPENDKIM_SUBDOMAINS, "" },
	{ "subdomains of a plain file", ".d.test", false, OPENDKIM_SUBDOMAINS, "" },
	{ "both", "*d.test", true, OPENDKIM_SUBDOMAINS, "" },
	{ "no domain", "*@", true, OPENDKIM_NOTHING, "" },
};

static void check_scope(void **state)
{
	const struct scope_row *row = *state;
	struct pw_str domain;

	assert_int_equal(
		opendkim_scope(pw_str_from(row->pattern), row->is_refile, &domain),
		row->scope);
	if (row->domain[0])
		assert_true(pw_str_eq(domain, pw_str_from(row->domain)));
}

struct row {
	const char *label, *keys, *signing; /* NULL: no SigningTable */
	bool is_multiple;
	const char
		*want; /* domain/selector/path of each wish, then -line of what is left */
};

static struct row rows[] = {
	{ "as everybody has it", "k d.test:s:/k.pem\n", "*@d.test k\n", false,
	  "d.test/s/k.pem " },
	{ "no SigningTable", "k d.test:s:/k.pem\n", NULL, false, "d.test/s/k.pem " },
	{ "% is the sender's domain", "k %:s:/keys/%/s.pem\n", "*@d.test k\n*@e.test k\n",
	  false, "d.test/s/keys/d.test/s.pem e.test/s/keys/e.test/s.pem " },
	{ "% as the name of the key", "d.test %:s:/d.pem\n", "*@d.test %\n", false,
	  "d.test/s/d.pem " },
	{ "everything, one domain", "k d.test:s:/k.pem\n", "* k\n", false,
	  "d.test/s/k.pem " },
	{ "everything, any domain", "k %:s:/k.pem\n", "* k\n", false, "-1 " },
	{ "any domain without a SigningTable", "k %:s:/k.pem\n", NULL, false, "-1 " },
	{ "i= is not taken", "k d.test:s:/k.pem\n", "*@d.test k:ann@d.test\n", false,
	  "d.test/s/k.pem " },
	{ "case of names does not matter", "K D.test:s:/k.pem\n", "*@d.TEST k\n", false,
	  "d.TEST/s/k.pem " },
	{ "the same twice", "k d.test:s:/k.pem\n", "*@d.test k\n*@d.test k\n", false,
	  "d.test/s/k.pem " },
	{ "only the first line counts", "k d.test:s:/k.pem\nl d.test:t:/l.pem\n",
	  "*@d.test k\n*@d.test l\n", false, "d.test/s/k.pem -2 " },
	{ "MultipleSignatures", "k d.test:s:/k.pem\nl d.test:t:/l.pem\n",
	  "*@d.test k\n*@d.test l\n", true, "d.test/s/k.pem d.test/t/l.pem " },
	{ "another domain's name", "k d.test:s:/k.pem\n", "*@e.test k\n", false, "-1 " },
	{ "a key nobody uses", "k d.test:s:/k.pem\nl e.test:s:/l.pem\n", "*@d.test k\n",
	  false, "d.test/s/k.pem -2 " },
	{ "a key that is not there", "k d.test:s:/k.pem\n", "*@d.test k\n*@e.test m\n",
	  false, "d.test/s/k.pem -2 " },
	{ "key in the table", "k d.test:s:MIIEpA\n", "*@d.test k\n", false, "-1 " },
	{ "too few parts", "k d.test:/k.pem\n", "*@d.test k\n", false, "-1 " },
	{ "no domain", "k :s:/k.pem\n", "*@d.test k\n", false, "-1 " },
	{ "comments", "# x\nk d.test:s:/k.pem # y\n", "*@d.test k # z\n", false,
	  "d.test/s/k.pem " },
	{ "empty tables", "", "", false, "" },
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	PW_AUTO(opendkim_done) struct opendkim o;

	assert_int_equal(opendkim_init(&o), PW_OK);
	o.is_multiple = row->is_multiple;
	opendkim_read_keys(&o, "k", pw_str_from(row->keys));
	if (row->signing)
		opendkim_read_signing(&o, "s", pw_str_from(row->signing), true);
	else
		opendkim_take_all(&o);
	opendkim_settle(&o);
	assert_int_equal(o.status, PW_OK);
	for (const struct opendkim_wish *w = o.wishes; w; w = w->next)
		pw_buf_printf(&got, "%.*s/%.*s%.*s ", PW_FMT(w->domain),
		              PW_FMT(w->selector), PW_FMT(w->path));
	for (const struct opendkim_left *l = o.left; l; l = l->next)
		pw_buf_printf(&got, "-%u ", l->line);
	assert_string_equal(pw_buf_text(&got), row->want);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(scope_rows) + PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, scope_rows, check_scope);
	PW_TABLE_TESTS(tests, PW_LEN(scope_rows), rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
