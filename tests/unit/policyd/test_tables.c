/* Postfix's tables from a small catalog; that they say what SQL says is
 * tests/integration/test_tables.py. */
#include "../table.h"

#include "policyd/tables.h"

enum data { FRESH, STALE, STALE_DEFERS, NO_DATA };

struct row {
	const char *label;
	enum data data;
	const char *table, *key;
	enum tables_answer answer;
	const char *value;
};

#define LOOP "loop@example.test"

/* clang-format off */
static struct row rows[] = {
	{ "our domain",                FRESH, "domains", "example.test", TABLES_FOUND, "example.test" },
	{ "in capitals, with a dot",   FRESH, "domains", "Example.TEST.", TABLES_FOUND, "example.test" },
	{ "an alias domain",           FRESH, "domains", "example.net", TABLES_FOUND, "example.net" },
	{ "another domain",            FRESH, "domains", "example.com", TABLES_NOT_FOUND, "" },
	{ "below our domain",          FRESH, "domains", "www.example.test", TABLES_NOT_FOUND, "" },
	{ "no domain",                 FRESH, "domains", "", TABLES_NOT_FOUND, "" },
	{ "an address is none",        FRESH, "domains", "ann@example.test", TABLES_NOT_FOUND, "" },

	{ "a mailbox",                 FRESH, "mailboxes", "ann@example.test", TABLES_FOUND, "ann@example.test" },
	{ "in capitals",               FRESH, "mailboxes", "Ann@Example.Test", TABLES_FOUND, "ann@example.test" },
	{ "needless quotes",           FRESH, "mailboxes", "\"ann\"@example.test", TABLES_FOUND, "ann@example.test" },
	{ "subaddress",                FRESH, "mailboxes", "ann+x+y@example.test", TABLES_FOUND, "ann@example.test" },
	{ "quoted subaddress",         FRESH, "mailboxes", "\"ann+x y\"@example.test", TABLES_FOUND, "ann@example.test" },
	{ "quotes that stay",          FRESH, "mailboxes", "\"o b+x\"@example.test", TABLES_FOUND, "\"o b\"@example.test" },
	{ "takes no mail",             FRESH, "mailboxes", "deaf@example.test", TABLES_NOT_FOUND, "" },
	{ "an alias",                  FRESH, "mailboxes", "sales@example.test", TABLES_NOT_FOUND, "" },
	{ "keeps a copy",              FRESH, "mailboxes", "bob@example.test", TABLES_FOUND, "bob@example.test" },
	{ "forwards all",              FRESH, "mailboxes", "gone@example.test", TABLES_NOT_FOUND, "" },
	{ "a catch-all's",             FRESH, "mailboxes", "any@example.org", TABLES_NOT_FOUND, "" },
	{ "mailbox beside catch-all",  FRESH, "mailboxes", "cid@example.org", TABLES_FOUND, "cid@example.org" },
	{ "in an alias domain",        FRESH, "mailboxes", "ann@example.net", TABLES_NOT_FOUND, "" },
	{ "nobody",                    FRESH, "mailboxes", "nobody@example.test", TABLES_NOT_FOUND, "" },
	{ "nothing",                   FRESH, "mailboxes", "", TABLES_NOT_FOUND, "" },

	{ "to one",                    FRESH, "aliases", "sales@example.test", TABLES_FOUND, "ann@example.test" },
	{ "to itself and out",         FRESH, "aliases", "bob@example.test", TABLES_FOUND, "bob@example.test,x@example.com" },
	{ "its subaddress",            FRESH, "aliases", "bob+y@example.test", TABLES_FOUND, "bob@example.test,x@example.com" },
	{ "two steps, each once",      FRESH, "aliases", "all@example.test", TABLES_FOUND, "ann@example.test,bob@example.test,x@example.com" },
	{ "a mailbox is no alias",     FRESH, "aliases", "ann@example.test", TABLES_NOT_FOUND, "" },
	{ "in an alias domain, too",   FRESH, "aliases", "ann+z@example.net", TABLES_FOUND, "ann@example.test" },
	{ "alias in it",               FRESH, "aliases", "sales@example.net", TABLES_FOUND, "ann@example.test" },
	{ "nobody in it",              FRESH, "aliases", "nobody@example.net", TABLES_NOT_FOUND, "" },
	{ "catch-all",                 FRESH, "aliases", "any@example.org", TABLES_FOUND, "ann@example.test" },
	{ "never a mailbox",           FRESH, "aliases", "cid@example.org", TABLES_NOT_FOUND, "" },
	{ "nor its subaddress",        FRESH, "aliases", "cid+x@example.org", TABLES_NOT_FOUND, "" },
	{ "nor one that takes none",   FRESH, "aliases", "dea@example.org", TABLES_NOT_FOUND, "" },
	{ "@domain is not asked",      FRESH, "aliases", "@example.org", TABLES_NOT_FOUND, "" },
	{ "a domain",                  FRESH, "aliases", "example.org", TABLES_NOT_FOUND, "" },
	{ "a name",                    FRESH, "aliases", "sales", TABLES_NOT_FOUND, "" },
	{ "all ends take no mail",     FRESH, "aliases", "tomb@example.test", TABLES_NOT_FOUND, "" },
	{ "a circle ends it",          FRESH, "aliases", LOOP, TABLES_FOUND, "ann@example.test" },

	{ "own address",               FRESH, "senders", "ann@example.test", TABLES_FOUND, "ann@example.test" },
	{ "own subaddress",            FRESH, "senders", "ANN+x@example.test", TABLES_FOUND, "ann@example.test" },
	{ "alias domain, own",          FRESH, "senders", "ann+x@example.net", TABLES_FOUND, "ann@example.test" },
	{ "several, each once",        FRESH, "senders", "cid@example.org", TABLES_FOUND, "cid@example.org,ann@example.test" },
	{ "by the domain",             FRESH, "senders", "any@example.org", TABLES_FOUND, "ann@example.test,cid@example.org" },
	{ "a foreign one",             FRESH, "senders", "ann@example.com", TABLES_FOUND, "ann@example.test" },
	{ "nobody's",                  FRESH, "senders", "x@example.com", TABLES_NOT_FOUND, "" },
	{ "the null sender",           FRESH, "senders", "<>", TABLES_NOT_FOUND, "" },

	{ "away: our domain",          STALE, "domains", "example.test", TABLES_FOUND, "example.test" },
	{ "away: another",             STALE, "domains", "example.com", TABLES_NOT_FOUND, "" },
	{ "away: perhaps ours by now", STALE_DEFERS, "domains", "example.com", TABLES_NOT_SURE, "" },
	{ "away: a mailbox",           STALE, "mailboxes", "ann@example.test", TABLES_FOUND, "ann@example.test" },
	{ "away: it is no alias",      STALE, "aliases", "ann@example.test", TABLES_NOT_FOUND, "" },
	{ "away: an alias",            STALE, "aliases", "sales@example.test", TABLES_FOUND, "ann@example.test" },
	{ "away: an alias domain's",   STALE, "aliases", "ann@example.net", TABLES_FOUND, "ann@example.test" },
	{ "away: no mailbox there",    STALE, "mailboxes", "ann@example.net", TABLES_NOT_FOUND, "" },
	{ "away: it is no mailbox",    STALE, "mailboxes", "sales@example.test", TABLES_NOT_FOUND, "" },
	{ "away: nobody's alias",      STALE, "aliases", "nobody@example.test", TABLES_NOT_SURE, "" },
	{ "away: nobody's mailbox",    STALE, "mailboxes", "nobody@example.test", TABLES_NOT_SURE, "" },
	{ "away: in an alias domain",  STALE, "aliases", "nobody@example.net", TABLES_NOT_SURE, "" },
	{ "away: takes no mail",       STALE, "mailboxes", "deaf@example.test", TABLES_NOT_SURE, "" },
	{ "away: no end takes mail",   STALE, "aliases", "tomb@example.test", TABLES_NOT_SURE, "" },
	{ "away: a catch-all waits",   STALE, "aliases", "any@example.org", TABLES_NOT_SURE, "" },
	{ "away: and no mailbox",      STALE, "mailboxes", "any@example.org", TABLES_NOT_SURE, "" },
	{ "away: elsewhere",           STALE, "aliases", "x@example.com", TABLES_NOT_FOUND, "" },
	{ "away: @domain",             STALE, "aliases", "@example.test", TABLES_NOT_FOUND, "" },
	{ "away: a domain",            STALE, "aliases", "example.test", TABLES_NOT_FOUND, "" },
	{ "away: a sender",            STALE, "senders", "ann@example.test", TABLES_FOUND, "ann@example.test" },
	{ "away: nobody's sender",     STALE, "senders", "nobody@example.test", TABLES_NOT_SURE, "" },
	{ "away: foreign sender",      STALE, "senders", "x@example.com", TABLES_NOT_FOUND, "" },

	{ "no data",                   NO_DATA, "domains", "example.test", TABLES_NO_DATA, "" },
	{ "no data, no address",       NO_DATA, "aliases", "x", TABLES_NO_DATA, "" },
	{ "no such table",             FRESH, "users", "ann@example.test", TABLES_NO_TABLE, "" },
};

static const struct line {
	enum catalog_table table;
	const char *fields[8];
} lines[] = {
	{ CATALOG_DOMAINS,   { "example.test" } },
	{ CATALOG_DOMAINS,   { "example.org" } },
	{ CATALOG_DOMAINS,   { "example.net", "example.test" } },
	{ CATALOG_ADDRESSES, { "ann@example.test", "mailbox" } },
	{ CATALOG_ADDRESSES, { "bob@example.test", "mailbox" } },
	{ CATALOG_ADDRESSES, { "deaf@example.test", "mailbox" } },
	{ CATALOG_ADDRESSES, { "gone@example.test", "mailbox" } },
	{ CATALOG_ADDRESSES, { "\"o b\"@example.test", "mailbox" } },
	{ CATALOG_ADDRESSES, { "cid@example.org", "mailbox" } },
	{ CATALOG_ADDRESSES, { "dea@example.org", "mailbox" } },
	/* the last one made comes first */
	{ CATALOG_ALIASES,   { "loop@example.test", "gone@example.test" } },
	{ CATALOG_ALIASES,   { "loop@example.test", "back@example.test" } },
	{ CATALOG_ALIASES,   { "loop@example.test", "ann@example.test" } },
	{ CATALOG_ALIASES,   { "back@example.test", "loop@example.test" } },
	{ CATALOG_ALIASES,   { "tomb@example.test", "deaf@example.test" } },
	{ CATALOG_ALIASES,   { "gone@example.test", "x@example.com" } },
	{ CATALOG_ALIASES,   { "all@example.test", "ann@example.test" } },
	{ CATALOG_ALIASES,   { "all@example.test", "bob@example.test" } },
	{ CATALOG_ALIASES,   { "all@example.test", "sales@example.test" } },
	{ CATALOG_ALIASES,   { "sales@example.test", "ann@example.test" } },
	{ CATALOG_ALIASES,   { "bob@example.test", "x@example.com" } },
	{ CATALOG_ALIASES,   { "bob@example.test", "bob@example.test" } },
	{ CATALOG_ALIASES,   { "@example.org", "ann@example.test" } },
	{ CATALOG_QUOTAS,    { "ann@example.test", "0", "0", "0", "0", "0", "0", "t" } },
	{ CATALOG_QUOTAS,    { "deaf@example.test", "0", "0", "0", "0", "0", "0", "f" } },
	{ CATALOG_QUOTAS,    { "dea@example.org", "0", "0", "0", "0", "0", "0", "f" } },
	{ CATALOG_SENDERS,   { "ann@example.test", "ann@example.test" } },
	{ CATALOG_SENDERS,   { "cid@example.org", "cid@example.org" } },
	{ CATALOG_SENDERS,   { "ann@example.test", "cid@example.org" } },
	{ CATALOG_SENDERS,   { "ann@example.test", "@example.org" } },
	{ CATALOG_SENDERS,   { "cid@example.org", "@example.org" } },
	{ CATALOG_SENDERS,   { "ann@example.test", "ann@example.com" } },
};
/* clang-format on */

static struct catalog *catalog;

static int build(void **state)
{
	static const uint8_t seed[16] = { 5 };

	(void)state;
	assert_int_equal(catalog_new(&catalog, seed, '+'), PW_OK);
	for (size_t i = 0; i < PW_LEN(lines); i++) {
		struct pw_str fields[PW_LEN(lines->fields)] = { { NULL, 0 } };

		for (size_t k = 0; k < PW_LEN(fields); k++)
			if (lines[i].fields[k] != NULL)
				fields[k] = pw_str_from(lines[i].fields[k]);
		assert_int_equal(catalog_add(catalog, lines[i].table, fields), PW_OK);
	}
	return 0;
}

static int drop(void **state)
{
	(void)state;
	catalog_free(&catalog);
	return 0;
}

static void check_row(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	const struct row *row = *state;
	const struct tables_world world = { row->data == NO_DATA ? NULL : catalog,
		                            row->data == FRESH,
		                            row->data != STALE_DEFERS };

	assert_int_equal(tables_look_up(&value, &world, pw_str_from(row->table),
	                                pw_str_from(row->key)),
	                 row->answer);
	assert_string_equal(pw_buf_text(&value), row->value);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, build, drop);
}
