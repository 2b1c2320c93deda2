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

/* clang-format off */
static struct row rows[] = {
	{ "watch",                     FRESH, PW_STR("watch\tann@example.test"), "limit\tann@example.test\t5000\t7\t500\n", -1 },
	{ "watch, another case",       FRESH, PW_STR("watch\tAnn@Example.Test"), "limit\tAnn@Example.Test\t5000\t7\t500\n", -1 },
	{ "no limit",                  FRESH, PW_STR("watch\tbob@example.test"), "limit\tbob@example.test\t0\t0\t0\n", -1 },
	{ "what a domain leaves over", FRESH, PW_STR("watch\tcid@example.org"), "limit\tcid@example.org\t2097152\t0\t0\n", -1 },
	{ "watch nobody",              FRESH, PW_STR("watch\teve@example.test"), "unknown\teve@example.test\n", -1 },
	{ "watch what is no address",  FRESH, PW_STR("watch\teve"), "unknown\teve\n", -1 },
	{ "an alias is no mailbox",    FRESH, PW_STR("watch\tsales@example.test"), "unknown\tsales@example.test\n", -1 },
	{ "away: known",               STALE, PW_STR("watch\tann@example.test"), "limit\tann@example.test\t5000\t7\t500\n", -1 },
	{ "away: unknown",             STALE, PW_STR("watch\teve@example.test"), "fail\teve@example.test\n", -1 },
	{ "no data",                   NO_DATA, PW_STR("watch\tann@example.test"), "fail\tann@example.test\n", -1 },
	{ "leave",                     FRESH, PW_STR("leave\tann@example.test"), "", -1 },
	{ "usage",                     FRESH, PW_STR("usage\tann@example.test\t123\t4\t5"), "told\tann@example.test\t5\n", 123 },
	{ "usage, another case",       FRESH, PW_STR("usage\tANN@example.test\t123\t4\t5"), "told\tANN@example.test\t5\n", 123 },
	{ "usage while away",          STALE, PW_STR("usage\tann@example.test\t7\t1\t5"), "told\tann@example.test\t5\n", 7 },
	{ "usage without data",        NO_DATA, PW_STR("usage\tann@example.test\t7\t1\t5"), "fail\tann@example.test\n", -1 },
	{ "usage of nobody",           FRESH, PW_STR("usage\teve@example.test\t7\t1\t5"), "unknown\teve@example.test\n", -1 },
	{ "negative is nothing",       FRESH, PW_STR("usage\tann@example.test\t-5\t0\t5"), "told\tann@example.test\t5\n", 0 },
	{ "too much is clamped",       FRESH, PW_STR("usage\tann@example.test\t99999999999999999999\t0\t5"), "told\tann@example.test\t5\n", USAGE_NUMBER_MAX },
	{ "beyond the clamp",          FRESH, PW_STR("usage\tann@example.test\t9223372036854775807\t0\t5"), "told\tann@example.test\t5\n", USAGE_NUMBER_MAX },
	{ "no number",                 FRESH, PW_STR("usage\tann@example.test\tmany\t0\t5"), NULL, -1 },
	{ "a number missing",          FRESH, PW_STR("usage\tann@example.test\t1\t2"), NULL, -1 },
	{ "a number too many",         FRESH, PW_STR("usage\tann@example.test\t1\t2\t3\t4"), NULL, -1 },
	{ "no user",                   FRESH, PW_STR("watch"), NULL, -1 },
	{ "empty user",                FRESH, PW_STR("watch\t"), NULL, -1 },
	{ "another word",              FRESH, PW_STR("delete\tann@example.test"), NULL, -1 },
	{ "nothing",                   FRESH, PW_STR(""), NULL, -1 },
};
/* clang-format on */

static void add(struct catalog *catalog, enum catalog_table table, const char *text)
{
	struct pw_str fields[16] = { { NULL, 0 } }, rest = pw_str_from(text);
	size_t count = 0;

	while (rest.at != NULL)
		fields[count++] = pw_str_cut(&rest, ' ');
	assert_int_equal(catalog_add(catalog, table, fields), PW_OK);
}

static struct catalog *build(const char *ann_quota)
{
	struct catalog *catalog = NULL;

	assert_int_equal(catalog_new(&catalog, seed, '+'), PW_OK);
	add(catalog, CATALOG_ADDRESSES, "ann@example.test mailbox");
	add(catalog, CATALOG_ADDRESSES, "bob@example.test mailbox");
	add(catalog, CATALOG_ADDRESSES, "cid@example.org mailbox");
	add(catalog, CATALOG_ADDRESSES, "dan@example.org mailbox");
	add(catalog, CATALOG_ALIASES, "sales@example.test ann@example.test");
	add(catalog, CATALOG_SETTINGS, "quota_grace_percent 10");
	add(catalog, CATALOG_SETTINGS, "something_else yes");
	add(catalog, CATALOG_QUOTAS, ann_quota);
	add(catalog, CATALOG_QUOTAS, "cid@example.org 0 70 0 1 0 3145728");
	add(catalog, CATALOG_QUOTAS, "dan@example.org 0 1000000 0 1 0 3145728");
	return catalog;
}

#define ANN_QUOTA "ann@example.test 5000 1 7 1 0 0"

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(catalog_free) struct catalog *catalog = build(ANN_QUOTA);
	PW_AUTO(usage_free) struct usage *usage = NULL;
	PW_AUTO(usage_watches_done) struct usage_watches watches = { NULL, 0 };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct usage_world world = { row->sight == NO_DATA ? NULL : catalog,
		                     row->sight == FRESH, NULL, 1000 };
	const struct usage_entry *entry;

	assert_int_equal(usage_new(&usage, seed), PW_OK);
	world.usage = usage;
	usage_rebase(usage, world.catalog);
	assert_int_equal(usage_line_answer(&out, row->line, &watches, &world),
	                 row->answer != NULL ? PW_OK : PW_ERR_SYNTAX);
	assert_string_equal(pw_buf_text(&out), row->answer != NULL ? row->answer : "");
	entry = usage_find(usage, PW_STR("ann@example.test"));
	assert_int_equal(entry != NULL ? entry->count.bytes : -1, row->bytes);
	assert_ptr_equal(usage_next_changed(usage), entry);
	assert_null(usage_next_changed(usage));
}

/* One connection through changes of the catalog. */
struct talk {
	struct catalog *catalog;
	struct usage *usage;
	struct usage_watches watches;
	struct usage_world world;
};

static void talk_catalog(struct talk *talk, struct catalog *catalog)
{
	catalog_free(&talk->catalog);
	talk->catalog = catalog;
	talk->world.catalog = catalog;
	usage_rebase(talk->usage, catalog);
}

static void talk_done(struct talk *talk)
{
	usage_watches_done(&talk->watches);
	usage_free(&talk->usage);
	catalog_free(&talk->catalog);
}

static void talk_begin(struct talk *talk)
{
	*talk = (struct talk){ .world = { NULL, true, NULL, 1000 } };
	assert_int_equal(usage_new(&talk->usage, seed), PW_OK);
	talk->world.usage = talk->usage;
	talk_catalog(talk, build(ANN_QUOTA));
}

static void ask(struct talk *talk, const char *line)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	assert_int_equal(
		usage_line_answer(&out, pw_str_from(line), &talk->watches, &talk->world),
		PW_OK);
}

static void expect_news(struct talk *talk, const char *news)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	assert_int_equal(usage_line_news(&out, &talk->watches, &talk->world), PW_OK);
	assert_string_equal(pw_buf_text(&out), news);
}

static void a_changed_limit_is_news_once(void **state)
{
	PW_AUTO(talk_done) struct talk talk;

	(void)state;
	talk_begin(&talk);
	ask(&talk, "watch\tAnn@example.test");
	expect_news(&talk, "");
	talk_catalog(&talk, build("ann@example.test 6000 1 0 1 0 0"));
	expect_news(&talk, "limit\tAnn@example.test\t6000\t0\t600\n");
	expect_news(&talk, "");
	ask(&talk, "leave\tAnn@example.test");
	talk_catalog(&talk, build(ANN_QUOTA));
	expect_news(&talk, "");
}

static void a_watch_outlives_what_cannot_be_told(void **state)
{
	PW_AUTO(talk_done) struct talk talk;

	(void)state;
	talk_begin(&talk);
	talk.world.catalog = NULL;
	talk.world.is_fresh = false;
	ask(&talk, "watch\tann@example.test");
	expect_news(&talk, "");
	talk.world.catalog = talk.catalog;
	expect_news(&talk, "limit\tann@example.test\t5000\t7\t500\n");
	talk.world.catalog = NULL; /* cannot be, but would be no news */
	expect_news(&talk, "");
	talk.world.is_fresh = true;
	expect_news(&talk, "unknown\tann@example.test\n");
}

static void others_in_the_domain_are_news_by_the_mebibyte(void **state)
{
	PW_AUTO(talk_done) struct talk talk;

	(void)state;
	talk_begin(&talk);
	ask(&talk, "watch\tcid@example.org");
	ask(&talk, "usage\tdan@example.org\t1000001\t1\t5");
	expect_news(&talk, "");
	ask(&talk, "usage\tdan@example.org\t2000000\t1\t6");
	expect_news(&talk, "limit\tcid@example.org\t1048576\t0\t0\n");
	ask(&talk, "usage\tdan@example.org\t9000000\t1\t7");
	expect_news(&talk, "limit\tcid@example.org\t1\t0\t0\n");
	ask(&talk, "usage\tcid@example.org\t500000\t1\t7"); /* its own changes nothing */
	expect_news(&talk, "");
}

static void too_many_watches_are_answered(void **state)
{
	PW_AUTO(talk_done) struct talk talk;
	char line[64];

	(void)state;
	talk_begin(&talk);
	for (int i = 0; i < USAGE_WATCHES_MAX; i++) {
		(void)snprintf(line, sizeof(line), "watch\tuser%d", i);
		ask(&talk, line);
	}
	ask(&talk, "watch\tann@example.test");
	assert_int_equal(talk.watches.count, USAGE_WATCHES_MAX);
	ask(&talk, "leave\tuser5");
	ask(&talk, "watch\tann@example.test");
	assert_int_equal(talk.watches.count, USAGE_WATCHES_MAX);
}

static void the_count_that_began_last_is_true(void **state)
{
	PW_AUTO(talk_done) struct talk talk;

	(void)state;
	talk_begin(&talk);
	ask(&talk, "usage\tann@example.test\t200\t2\t20");
	ask(&talk, "usage\tann@example.test\t100\t1\t10"); /* came late */
	assert_int_equal(usage_find(talk.usage, PW_STR("ann@example.test"))->count.bytes,
	                 200);
	/* from the future, which is now at the most: a later one still counts */
	ask(&talk, "usage\tann@example.test\t300\t3\t4611686018427387904");
	talk.world.now_us++;
	ask(&talk, "usage\tann@example.test\t400\t4\t1001");
	assert_int_equal(usage_find(talk.usage, PW_STR("ann@example.test"))->count.bytes,
	                 400);
}

static void who_is_gone_is_forgotten(void **state)
{
	PW_AUTO(talk_done) struct talk talk;
	struct catalog *empty = NULL;

	(void)state;
	talk_begin(&talk);
	ask(&talk, "usage\tann@example.test\t200\t2\t20");
	ask(&talk, "usage\tbob@example.test\t200\t2\t20");
	assert_int_equal(catalog_new(&empty, seed, '+'), PW_OK);
	add(empty, CATALOG_ADDRESSES, "bob@example.test mailbox");
	talk_catalog(&talk, empty);
	usage_sweep(talk.usage, 100); /* not while it is to be stored */
	assert_non_null(usage_find(talk.usage, PW_STR("ann@example.test")));
	while (usage_next_changed(talk.usage) != NULL)
		;
	usage_rebase(talk.usage, empty);
	usage_sweep(talk.usage, 1);
	usage_sweep(talk.usage, 1);
	assert_null(usage_find(talk.usage, PW_STR("ann@example.test")));
	assert_non_null(usage_find(talk.usage, PW_STR("bob@example.test")));
}

int main(void)
{
	struct CMUnitTest tests[6 + PW_LEN(rows)] = {
		cmocka_unit_test(a_changed_limit_is_news_once),
		cmocka_unit_test(a_watch_outlives_what_cannot_be_told),
		cmocka_unit_test(others_in_the_domain_are_news_by_the_mebibyte),
		cmocka_unit_test(too_many_watches_are_answered),
		cmocka_unit_test(the_count_that_began_last_is_true),
		cmocka_unit_test(who_is_gone_is_forgotten),
	};

	PW_TABLE_TESTS(tests, 6, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
