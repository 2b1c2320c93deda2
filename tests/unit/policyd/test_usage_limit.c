#include "../table.h"

#include "policyd/usage_limit.h"

#define MIB (INT64_C(1) << 20)

struct room_row {
	const char *label;
	struct usage_room room; /* quota, used; messages, used; domain, used; grace */
	int64_t size;
	bool is_full;
	struct usage_limits limits;
	int64_t percent;
};

/* clang-format off */
static struct room_row room_rows[] = {
	{ "no limits",              { 0, 99, 0, 9, 0, 0, 50 },                  5,  false, { 0, 0, 0 },          0 },
	{ "room",                   { 1000, 700, 0, 9, 0, 0, 0 },             300,  false, { 1000, 0, 0 },      70 },
	{ "too large",              { 1000, 700, 0, 9, 0, 0, 0 },             301,  true,  { 1000, 0, 0 },      70 },
	{ "full",                   { 1000, 1000, 0, 9, 0, 0, 0 },              0,  true,  { 1000, 0, 0 },     100 },
	{ "over full",              { 1000, 5000, 0, 9, 0, 0, 0 },              0,  true,  { 1000, 0, 0 },     100 },
	{ "grace",                  { 1000, 999, 0, 9, 0, 0, 25 },            251,  false, { 1000, 0, 250 },    99 },
	{ "beyond grace",           { 1000, 999, 0, 9, 0, 0, 25 },            252,  true,  { 1000, 0, 250 },    99 },
	{ "full, grace or not",     { 1000, 1000, 0, 9, 0, 0, 25 },             1,  true,  { 1000, 0, 250 },   100 },
	{ "the last message",       { 0, 9, 5, 4, 0, 0, 0 },                   99,  false, { 0, 5, 0 },          0 },
	{ "as many as allowed",     { 0, 9, 5, 5, 0, 0, 0 },                    1,  true,  { 0, 5, 0 },          0 },
	{ "more than allowed",      { 0, 9, 5, 9, 0, 0, 100 },                  1,  true,  { 0, 5, 0 },          0 },
	{ "domain has room",        { 0, MIB, 0, 1, 4 * MIB, 2 * MIB, 0 },  2 * MIB, false, { 3 * MIB, 0, 0 },   0 },
	{ "domain has not so much", { 0, MIB, 0, 1, 4 * MIB, 2 * MIB, 9 },  2 * MIB + 1, true, { 3 * MIB, 0, 0 }, 0 },
	{ "domain full",            { 0, 0, 0, 1, 4 * MIB, 4 * MIB, 0 },        0,  true,  { 1, 0, 0 },          0 },
	{ "domain over full",       { 0, 5, 0, 1, 4 * MIB, 9 * MIB, 0 },        0,  true,  { 1, 0, 0 },          0 },
	{ "whole mebibytes",        { 0, 5, 0, 1, 4 * MIB, MIB + 6, 0 },        0,  false, { 2 * MIB, 0, 0 },    0 },
	{ "own limit is nearer",    { MIB, 5, 0, 1, 4 * MIB, MIB + 5, 50 },     0,  false, { MIB, 0, MIB / 2 },  0 },
	{ "the domain is nearer",   { 4 * MIB, MIB, 0, 1, 4 * MIB, 2 * MIB, 50 }, 0, false, { 3 * MIB, 0, 0 },  25 },
	{ "sum below its part",     { 0, 9 * MIB, 0, 1, 4 * MIB, MIB, 0 },      0,  false, { 4 * MIB, 0, 0 },    0 },
	{ "largest numbers",        { INT64_MAX, USAGE_NUMBER_MAX, INT64_MAX, USAGE_NUMBER_MAX, INT64_MAX, USAGE_NUMBER_MAX, 100 },
	                            INT64_MAX, true, { INT64_MAX / MIB * MIB, INT64_MAX, 0 }, 50 },
	{ "a large limit",          { INT64_MAX, 5, 0, 1, 0, 0, 100 },  INT64_MAX,  false, { INT64_MAX, 0, INT64_MAX }, 0 },
};
/* clang-format on */

static void check_room(void **state)
{
	const struct room_row *row = *state;
	struct usage_limits limits = usage_limits_of(&row->room);

	assert_int_equal(usage_is_full(&row->room, row->size), row->is_full);
	assert_int_equal(usage_percent(&row->room), row->percent);
	assert_int_equal(limits.bytes, row->limits.bytes);
	assert_int_equal(limits.messages, row->limits.messages);
	assert_int_equal(limits.grace_bytes, row->limits.grace_bytes);
}

struct warning_row {
	const char *label;
	int64_t percent, before, after, sent; /* sent 0 = none */
};

static struct warning_row warning_rows[] = {
	{ "below all", 79, 0, 0, 0 },
	{ "reaches the first", 80, 0, 80, 80 },
	{ "stays there", 89, 80, 80, 0 },
	{ "reaches the next", 90, 80, 90, 90 },
	{ "jumps over two", 97, 80, 95, 95 },
	{ "full at once", 100, 0, 95, 95 },
	{ "falls below the highest", 94, 95, 90, 0 },
	{ "reaches it again", 95, 90, 95, 95 },
	{ "falls below all", 10, 95, 0, 0 },
	{ "an old level that is no more", 85, 85, 80, 0 },
};

static void check_warning(void **state)
{
	const struct warning_row *row = *state;
	struct catalog_warning w80 = { .percent = 80 };
	struct catalog_warning w95 = { .percent = 95, .next = &w80 };
	struct catalog_warning w90 = { .percent = 90, .next = &w95 };
	const struct catalog_quotas quotas = { 0, &w90 };
	int64_t warned = row->before;
	const struct catalog_warning *sent =
		usage_warning(&quotas, row->percent, &warned);

	assert_int_equal(sent != NULL ? sent->percent : 0, row->sent);
	assert_int_equal(warned, row->after);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(room_rows) + PW_LEN(warning_rows)];

	PW_TABLE_TESTS(tests, 0, room_rows, check_room);
	PW_TABLE_TESTS(tests, PW_LEN(room_rows), warning_rows, check_warning);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
