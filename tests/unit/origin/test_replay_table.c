#include "../table.h"

#include <stdalign.h>
#include <string.h>

#include "origin/stamp/replay_table.h"

#define NOW ((int64_t)1780000000)
#define DAY 86400
#define ENTRIES 64

static const uint8_t seed[16] = { 1, 2, 3 };
static const int64_t boot = NOW - DAY, other_boot = NOW + 60;

static struct replay_entry entry(unsigned number, uint8_t digest, int64_t at_s)
{
	struct replay_entry e = { .at_s = at_s };

	memcpy(e.key, &number, sizeof(number));
	e.digest[0] = digest;
	return e;
}

struct world {
	alignas(8) char block[64 + ENTRIES * 32];
	struct replay_table table;
};

static void world_init(struct world *w)
{
	assert_int_equal(replay_table_bytes(ENTRIES), sizeof(w->block));
	memset(w->block, 0x55, sizeof(w->block));
	replay_table_format(&w->table, w->block, sizeof(w->block), seed, NOW - 100 * DAY);
	replay_table_open(&w->table, boot);
}

static enum replay_verdict look(struct world *w, struct replay_entry e, int64_t now_s)
{
	return replay_table_look(&w->table, &e, now_s);
}

static void put(struct world *w, struct replay_entry e, int64_t now_s)
{
	(void)replay_table_put(&w->table, &e, now_s);
}

static void check_seen(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(look(&w, entry(1, 1, NOW), NOW), REPLAY_NEW);
	put(&w, entry(1, 1, NOW), NOW);
	assert_int_equal(look(&w, entry(1, 1, NOW), NOW), REPLAY_SAME);
	assert_int_equal(look(&w, entry(1, 2, NOW), NOW), REPLAY_OTHER);
	assert_int_equal(look(&w, entry(2, 1, NOW), NOW), REPLAY_NEW);
	/* kept for eight days */
	assert_int_equal(look(&w, entry(1, 1, NOW), NOW + 8 * DAY), REPLAY_SAME);
	assert_int_equal(look(&w, entry(1, 1, NOW), NOW + 8 * DAY + 1), REPLAY_NEW);
}

static void check_full(void **state)
{
	struct world w;
	unsigned forgotten = 0;
	struct replay_entry e;

	(void)state;
	world_init(&w);
	for (unsigned i = 0; i < 4 * ENTRIES; i++) {
		e = entry(i, 1, NOW + i);
		forgotten += !replay_table_put(&w.table, &e, NOW + i);
	}
	assert_int_equal(forgotten, 3 * ENTRIES);
	/* none of them is taken for new */
	for (unsigned i = 0; i < 4 * ENTRIES; i++)
		assert_int_not_equal(look(&w, entry(i, 1, NOW + i), NOW + 4 * ENTRIES),
		                     REPLAY_NEW);
	assert_int_equal(look(&w, entry(9999, 1, NOW + 4 * ENTRIES), NOW + 4 * ENTRIES),
	                 REPLAY_NEW);
	/* what is over makes room */
	forgotten = 0;
	for (unsigned i = 0; i < 8; i++) {
		e = entry(1000000 + i, 1, NOW + 20 * DAY);
		forgotten += !replay_table_put(&w.table, &e, NOW + 20 * DAY);
	}
	assert_int_equal(forgotten, 0);
}

static void check_attach(void **state)
{
	struct world w;
	struct replay_table again;

	(void)state;
	world_init(&w);
	put(&w, entry(1, 1, NOW), NOW);
	/* the process was killed, the machine ran on */
	assert_int_equal(
		replay_table_attach(&again, w.block, sizeof(w.block), boot + 2, NOW + 10),
		PW_OK);
	w.table = again;
	assert_int_equal(look(&w, entry(1, 1, NOW), NOW), REPLAY_SAME);
	assert_int_equal(look(&w, entry(2, 1, NOW), NOW), REPLAY_NEW);
	/* closed, then another run of the machine */
	replay_table_close(&w.table);
	assert_int_equal(replay_table_attach(&w.table, w.block, sizeof(w.block),
	                                     other_boot, NOW + 10),
	                 PW_OK);
	assert_int_equal(look(&w, entry(2, 1, NOW), NOW), REPLAY_NEW);
	/* the machine went down */
	replay_table_open(&w.table, other_boot);
	assert_int_equal(
		replay_table_attach(&w.table, w.block, sizeof(w.block), boot, NOW + 10),
		PW_OK);
	assert_int_equal(look(&w, entry(1, 1, NOW), NOW), REPLAY_SAME);
	assert_int_equal(look(&w, entry(2, 1, NOW + 10), NOW), REPLAY_UNSURE);
	assert_int_equal(look(&w, entry(2, 1, NOW + 11), NOW), REPLAY_NEW);
}

struct break_row {
	const char *label;
	size_t at, bytes;
};

static struct break_row break_rows[] = {
	{ "magic", 0, 64 + ENTRIES * 32 },
	{ "slot size", 8, 64 + ENTRIES * 32 },
	{ "slots", 12, 64 + ENTRIES * 32 },
	{ "shorter", 63, 64 + ENTRIES * 32 - 1 },
	{ "a slot less", 63, 64 + ENTRIES * 32 - 32 },
	{ "nearly nothing", 63, 100 },
};

static void check_broken(void **state)
{
	const struct break_row *row = *state;
	struct replay_table again;
	struct world w;

	world_init(&w);
	w.block[row->at] ^= 1;
	assert_int_equal(replay_table_attach(&again, w.block, row->bytes, boot, NOW),
	                 PW_ERR_SYNTAX);
}

/* A slot that was half written is empty, and takes no other with it. */
static void check_torn(void **state)
{
	struct world w;
	unsigned same = 0;

	(void)state;
	world_init(&w);
	for (unsigned i = 0; i < 8; i++)
		put(&w, entry(i, 1, NOW), NOW);
	for (size_t i = 64; i < sizeof(w.block); i++)
		if (w.block[i] != 0) {
			w.block[i] ^= 1;
			break;
		}
	for (unsigned i = 0; i < 8; i++)
		same += look(&w, entry(i, 1, NOW), NOW) == REPLAY_SAME;
	assert_int_equal(same, 7);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(break_rows) + 4] = {
		[PW_LEN(break_rows)] = cmocka_unit_test(check_seen),
		[PW_LEN(break_rows) + 1] = cmocka_unit_test(check_full),
		[PW_LEN(break_rows) + 2] = cmocka_unit_test(check_attach),
		[PW_LEN(break_rows) + 3] = cmocka_unit_test(check_torn),
	};

	PW_TABLE_TESTS(tests, 0, break_rows, check_broken);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
