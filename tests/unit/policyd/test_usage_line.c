#include "../table.h"

#include <string.h>

#include "policyd/usage_line.h"

static const uint8_t seed[16] = { 9 };

enum sight { FRESH, STALE, NO_DATA };

struct row {
	const char *label;
	enum sight sight;
	struct pw_str line;
	const char *answer; /* NULL = not a request */
	int64_t bytes;      /* remembered of ann afterwards; -1 = nothing */
};

static struct row rows[] = {
	{ "limit", FRESH, PW_STR("limit\tann@example.test"), "ok\t5000\t0\n", -1 },
	{ "limit, another case", FRESH, PW_STR("limit\tAnn@Example.Test"),
	  "ok\t5000\t0\n", -1 },
	{ "no limit", FRESH, PW_STR("limit\tbob@example.test"), "ok\t0\t0\n", -1 },
	{ "limit of nobody", FRESH, PW_STR("limit\teve@example.test"), "unknown\n", -1 },
	{ "limit of what is no address", FRESH, PW_STR("limit\teve"), "unknown\n", -1 },
	{ "an alias is no mailbox", FRESH, PW_STR("limit\tsales@example.test"),
	  "unknown\n", -1 },
	{ "away: known", STALE, PW_STR("limit\tann@example.test"), "ok\t5000\t0\n", -1 },
	{ "away: unknown", STALE, PW_STR("limit\teve@example.test"), "fail\n", -1 },
	{ "no data", NO_DATA, PW_STR("limit\tann@example.test"), "fail\n", -1 },
	{ "usage", FRESH, PW_STR("usage\tann@example.test\t123\t4"), "ok\n", 123 },
	{ "usage while away", STALE, PW_STR("usage\tann@example.test\t7\t1"), "ok\n", 7 },
	{ "usage without data", NO_DATA, PW_STR("usage\tann@example.test\t7\t1"),
	  "fail\n", -1 },
	{ "usage of nobody", FRESH, PW_STR("usage\teve@example.test\t7\t1"), "unknown\n",
	  -1 },
	{ "negative is nothing", FRESH, PW_STR("usage\tann@example.test\t-5\t0"), "ok\n",
	  0 },
	{ "too much is clamped", FRESH,
	  PW_STR("usage\tann@example.test\t99999999999999999999\t0"), "ok\n",
	  USAGE_NUMBER_MAX },
	{ "beyond the clamp", FRESH,
	  PW_STR("usage\tann@example.test\t9223372036854775807\t0"), "ok\n",
	  USAGE_NUMBER_MAX },
	{ "no number", FRESH, PW_STR("usage\tann@example.test\tmany\t0"), NULL, -1 },
	{ "a number missing", FRESH, PW_STR("usage\tann@example.test\t1"), NULL, -1 },
	{ "a number too many", FRESH, PW_STR("usage\tann@example.test\t1\t2\t3"), NULL,
	  -1 },
	{ "no user", FRESH, PW_STR("limit"), NULL, -1 },
	{ "empty user", FRESH, PW_STR("limit\t"), NULL, -1 },
	{ "another word", FRESH, PW_STR("delete\tann@example.test"), NULL, -1 },
	{ "nothing", FRESH, PW_STR(""), NULL, -1 },
};

static struct catalog *build(void)
{
	struct catalog *catalog = NULL;

	assert_int_equal(catalog_new(&catalog, seed, '+'), PW_OK);
	assert_int_equal(catalog_add(catalog, CATALOG_ADDRESSES,
	                             (struct pw_str[]){ PW_STR("ann@example.test"),
	                                                PW_STR("mailbox") }),
	                 PW_OK);
	assert_int_equal(catalog_add(catalog, CATALOG_ADDRESSES,
	                             (struct pw_str[]){ PW_STR("bob@example.test"),
	                                                PW_STR("mailbox") }),
	                 PW_OK);
	assert_int_equal(catalog_add(catalog, CATALOG_ALIASES,
	                             (struct pw_str[]){ PW_STR("sales@example.test"),
	                                                PW_STR("ann@example.test") }),
	                 PW_OK);
	assert_int_equal(catalog_add(catalog, CATALOG_QUOTAS,
	                             (struct pw_str[]){ PW_STR("ann@example.test"),
	                                                PW_STR("5000"), PW_STR("1") }),
	                 PW_OK);
	return catalog;
}

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(catalog_free) struct catalog *catalog = build();
	PW_AUTO(usage_free) struct usage *usage = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct usage_world world = { row->sight == NO_DATA ? NULL : catalog,
		                     row->sight == FRESH, NULL };
	const struct usage_entry *entry;

	assert_int_equal(usage_new(&usage, seed), PW_OK);
	world.usage = usage;
	assert_int_equal(usage_line_answer(&out, row->line, &world),
	                 row->answer != NULL ? PW_OK : PW_ERR_SYNTAX);
	assert_string_equal(pw_buf_text(&out), row->answer != NULL ? row->answer : "");
	entry = usage_find(usage, PW_STR("ann@example.test"));
	assert_int_equal(entry != NULL ? entry->bytes : -1, row->bytes);
	assert_ptr_equal(usage_next_changed(usage), entry);
	assert_null(usage_next_changed(usage));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
