/* What the scenarios cannot show: the window against a plain count of instants, bounds of
 * memory, rows of the database. */
#include "../table.h"

#include <string.h>

#include "policyd/guard.h"

static const uint8_t seed[16] = { 7 };

struct bed {
	struct catalog *catalog;
	struct guard *guard;
};

static void bed_open(struct bed *bed, const char *kind, const char *failures,
                     const char *period)
{
	const struct pw_str fields[] = { pw_str_from(kind),   pw_str_from(failures),
		                         pw_str_from(period), PW_STR("60"),
		                         PW_STR("f"),         PW_STR("f") };

	*bed = (struct bed){ NULL, NULL };
	assert_int_equal(catalog_new(&bed->catalog, seed, '+'), PW_OK);
	assert_int_equal(catalog_add(bed->catalog, CATALOG_AUTH_LIMITS, fields), PW_OK);
	assert_int_equal(guard_new(&bed->guard, seed), PW_OK);
}

static void bed_close(struct bed *bed)
{
	guard_free(&bed->guard);
	catalog_free(&bed->catalog);
}

static struct guard_attempt from(uint32_t number)
{
	struct guard_attempt attempt = { PW_STR("ann@example.test"),
		                         { .family = PW_IP_V4 },
		                         0 };

	attempt.remote.bytes[0] = 10;
	attempt.remote.bytes[1] = (uint8_t)(number >> 16);
	attempt.remote.bytes[2] = (uint8_t)(number >> 8);
	attempt.remote.bytes[3] = (uint8_t)number;
	return attempt;
}

static bool fails(struct bed *bed, uint32_t number, int64_t now_ms)
{
	const struct guard_attempt attempt = from(number);
	struct guard_blocks begun;

	guard_failed(bed->guard, &begun, bed->catalog, &attempt, true, now_ms);
	return begun.count > 0;
}

#define INSTANTS_MAX 100000
#define LIMIT 7

/* Of those since the last block, how many are within span before now, it included? */
static int count_within(const int64_t *instants, int count, int64_t now_ms, int64_t span)
{
	int n = 0;

	while (n < count && instants[count - 1 - n] >= now_ms - span)
		n++;
	return n;
}

/* Random failures: whenever a plain count over the period reaches the limit there is a
 * block, and there is none unless the count over a sixteenth more does. */
static void check_against_plain_count(void **state)
{
	static int64_t instants[INSTANTS_MAX];
	const int64_t period_ms = 100000;
	int64_t now_ms = 0;
	unsigned int random = 1;
	int count = 0, blocks = 0;
	struct bed bed;

	(void)state;
	bed_open(&bed, "network", "7", "100");
	for (int i = 0; i < INSTANTS_MAX; i++) {
		bool has_begun;

		random = random * 1103515245 + 12345;
		now_ms += (random >> 8) % 33000;
		instants[count++] = now_ms;
		has_begun = fails(&bed, 1, now_ms);
		if (count_within(instants, count, now_ms, period_ms) >= LIMIT)
			assert_true(has_begun);
		if (has_begun) {
			assert_in_range(count_within(instants, count, now_ms,
			                             period_ms + period_ms / 16 + 17),
			                LIMIT, INSTANTS_MAX);
			now_ms += 60000; /* the block */
			count = 0;
			blocks++;
		}
	}
	assert_in_range(blocks, 100, INSTANTS_MAX);
	bed_close(&bed);
}

/* One network more than there is room for: the first is forgotten, the last is not. */
static void check_windows_are_bounded(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, "network", "2", "1000");
	for (uint32_t i = 0; i <= GUARD_WINDOWS_MAX; i++)
		assert_false(fails(&bed, i, 1000));
	assert_int_equal(guard_window_count(bed.guard), GUARD_WINDOWS_MAX);
	assert_true(fails(&bed, GUARD_WINDOWS_MAX, 1000));
	assert_true(fails(&bed, 1, 1000));
	assert_false(fails(&bed, 0, 1000));
	bed_close(&bed);
}

static void check_blocks_are_bounded(void **state)
{
	const struct guard_attempt first = from(0), second = from(1);
	struct bed bed;

	(void)state;
	bed_open(&bed, "network", "1", "1000");
	for (uint32_t i = 0; i <= GUARD_BLOCKS_MAX; i++)
		assert_true(fails(&bed, i, 1000));
	assert_int_equal(guard_block_count(bed.guard), GUARD_BLOCKS_MAX);
	assert_int_equal(guard_ask(bed.guard, bed.catalog, &first, 1000), 0);
	assert_int_equal(guard_ask(bed.guard, bed.catalog, &second, 1000), 60000);
	bed_close(&bed);
}

static void check_sweep_forgets(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, "network", "100", "160");
	for (uint32_t i = 0; i < 1500; i++)
		assert_false(fails(&bed, i, 1000));
	assert_false(fails(&bed, 1500, 100000));
	guard_sweep(bed.guard, 169999);
	assert_int_equal(guard_window_count(bed.guard), 1501);
	guard_sweep(bed.guard, 170000); /* a part at a time */
	assert_int_equal(guard_window_count(bed.guard), 501);
	guard_sweep(bed.guard, 170000);
	assert_int_equal(guard_window_count(bed.guard), 1);
	bed_close(&bed);
}

static void check_long_login_counts_for_the_network(void **state)
{
	char name[GUARD_LOGIN_MAX + 1];
	struct guard_attempt attempt = from(1);
	struct guard_blocks begun;
	struct bed bed;

	(void)state;
	memset(name, 'a', sizeof(name));
	attempt.login = (struct pw_str){ name, sizeof(name) };
	bed_open(&bed, "network", "1", "1000");
	guard_succeeded(bed.guard, &attempt, 1000);
	guard_failed(bed.guard, &begun, bed.catalog, &attempt, true, 1000);
	assert_int_equal(begun.count, 1);
	bed_close(&bed);
}

static void check_refused(struct bed *bed, int64_t now_ms, const char *wanted)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	const void *pos = NULL;
	struct pw_ban ban;

	while (guard_next_refused(bed->guard, bed->catalog, &pos, &ban, now_ms))
		pw_ban_put(&text, &ban);
	assert_string_equal(pw_buf_text(&text), wanted);
}

static void check_list_of_refused(void **state)
{
	const struct pw_str login_rule[] = { PW_STR("login"), PW_STR("1"), PW_STR("9"),
		                             PW_STR("60"),    PW_STR("f"), PW_STR("f") };
	const struct pw_str dry_run[] = { PW_STR("network"), PW_STR("1"), PW_STR("9"),
		                          PW_STR("60"),      PW_STR("t"), PW_STR("f") };
	const struct pw_str exempt[] = { PW_STR("2001:db8::5") };
	struct guard_attempt attempt = { PW_STR("ann@example.test"), { 0 }, 0 };
	struct guard_blocks begun;
	struct bed bed;

	(void)state;
	bed_open(&bed, "network", "1", "9");
	assert_int_equal(catalog_add(bed.catalog, CATALOG_AUTH_LIMITS, login_rule),
	                 PW_OK);
	assert_true(fails(&bed, 1, 1000)); /* and the login's block, which is none here */
	assert_int_equal(guard_block_count(bed.guard), 2);
	assert_int_equal(pw_ip_parse(&attempt.remote, PW_STR("2001:db8::7")), PW_OK);
	guard_failed(bed.guard, &begun, bed.catalog, &attempt, true, 3500);
	check_refused(&bed, 4000, "10.0.0.1 57\n2001:db8::/64 60\n");
	check_refused(&bed, 61000, "2001:db8::/64 3\n");
	assert_int_equal(catalog_add(bed.catalog, CATALOG_AUTH_EXEMPTIONS, exempt),
	                 PW_OK);
	check_refused(&bed, 4000, "10.0.0.1 57\n");
	assert_int_equal(catalog_add(bed.catalog, CATALOG_AUTH_LIMITS, dry_run), PW_OK);
	check_refused(&bed, 4000, "");
	bed_close(&bed);
}

/* A network of two blocks is listed once, one of a spray alone too. */
static void check_list_of_sprayers(void **state)
{
	const struct pw_str network[] = { PW_STR("network"), PW_STR("2"), PW_STR("9"),
		                          PW_STR("30"),      PW_STR("f"), PW_STR("f") };
	struct guard_attempt attempt = from(1);
	struct guard_blocks begun;
	struct bed bed;

	(void)state;
	bed_open(&bed, "spray", "2", "9");
	assert_int_equal(catalog_add(bed.catalog, CATALOG_AUTH_LIMITS, network), PW_OK);
	assert_false(fails(&bed, 1, 1000));
	attempt.login = PW_STR("bob@example.test");
	guard_failed(bed.guard, &begun, bed.catalog, &attempt, false, 1000);
	assert_int_equal(begun.count, 2);
	check_refused(&bed, 1000, "10.0.0.1 30\n");
	check_refused(&bed, 31000, "10.0.0.1 30\n"); /* what is left of the spray's */
	bed_close(&bed);
}

struct bad_row {
	const char *label;
	enum catalog_table table;
	struct pw_str fields[6];
	enum pw_status status;
};

#define LIMIT_ROW(label, status, ...)                                                    \
	{                                                                                \
		label, CATALOG_AUTH_LIMITS, { __VA_ARGS__ }, status                      \
	}

/* clang-format off */
static struct bad_row bad_rows[] = {
	LIMIT_ROW("a limit", PW_OK, PW_STR("login"), PW_STR("1"), PW_STR("1"), PW_STR("1"), PW_STR("f")),
	LIMIT_ROW("a spray", PW_OK, PW_STR("spray"), PW_STR("1"), PW_STR("1"), PW_STR("1"), PW_STR("f")),
	LIMIT_ROW("no such kind", PW_ERR_SYNTAX, PW_STR("host"), PW_STR("1"), PW_STR("1"), PW_STR("1"), PW_STR("f")),
	LIMIT_ROW("no failures", PW_ERR_RANGE, PW_STR("login"), PW_STR("0"), PW_STR("1"), PW_STR("1"), PW_STR("f")),
	LIMIT_ROW("no period", PW_ERR_RANGE, PW_STR("login"), PW_STR("1"), PW_STR("0"), PW_STR("1"), PW_STR("f")),
	LIMIT_ROW("period NULL", PW_ERR_RANGE, PW_STR("login"), PW_STR("1"), { NULL, 0 }, PW_STR("1"), PW_STR("f")),
	LIMIT_ROW("block NULL", PW_ERR_RANGE, PW_STR("login"), PW_STR("1"), PW_STR("1"), { NULL, 0 }, PW_STR("f")),
	LIMIT_ROW("no number", PW_ERR_SYNTAX, PW_STR("login"), PW_STR("x"), PW_STR("1"), PW_STR("1"), PW_STR("f")),
	{ "an exemption", CATALOG_AUTH_EXEMPTIONS, { PW_STR("192.0.2.0/24") }, PW_OK },
	{ "no network", CATALOG_AUTH_EXEMPTIONS, { PW_STR("example.org") }, PW_ERR_SYNTAX },
	{ "a ban", CATALOG_BANS, { PW_STR("192.0.2.7/32"), PW_STR("1700000000000") }, PW_OK },
	{ "a ban of nobody", CATALOG_BANS, { PW_STR(""), PW_STR("1700000000000") }, PW_ERR_SYNTAX },
	{ "a ban without an end", CATALOG_BANS, { PW_STR("192.0.2.7/32"), PW_STR("x") }, PW_ERR_SYNTAX },
};
/* clang-format on */

static void check_database_row(void **state)
{
	const struct bad_row *row = *state;
	PW_AUTO(catalog_free) struct catalog *catalog = NULL;

	assert_int_equal(catalog_new(&catalog, seed, '+'), PW_OK);
	assert_int_equal(catalog_add(catalog, row->table, row->fields), row->status);
	if (row->table == CATALOG_AUTH_LIMITS)
		assert_int_equal(catalog_auth_rule(catalog, AUTH_LOGIN) != NULL ||
		                         catalog_auth_rule(catalog, AUTH_SPRAY) != NULL,
		                 row->status == PW_OK);
}

int main(void)
{
	enum { ROWS = PW_LEN(bad_rows) };
	struct CMUnitTest tests[ROWS + 7] = {
		[ROWS] = cmocka_unit_test(check_against_plain_count),
		[ROWS + 1] = cmocka_unit_test(check_windows_are_bounded),
		[ROWS + 2] = cmocka_unit_test(check_blocks_are_bounded),
		[ROWS + 3] = cmocka_unit_test(check_sweep_forgets),
		[ROWS + 4] = cmocka_unit_test(check_long_login_counts_for_the_network),
		[ROWS + 5] = cmocka_unit_test(check_list_of_refused),
		[ROWS + 6] = cmocka_unit_test(check_list_of_sprayers),
	};

	PW_TABLE_TESTS(tests, 0, bad_rows, check_database_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
