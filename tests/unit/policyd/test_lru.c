#include "../table.h"

#include <string.h>

#include "policyd/lru.h"

struct thing {
	struct lru_entry entry;
	int number;
};

struct row {
	const char *label;
	const char *uses; /* keys of one letter, in order; capital: only looked for */
	const char *left; /* oldest first */
};

static struct row rows[] = {
	{ "nothing", "", "" },
	{ "in order of use", "abc", "abc" },
	{ "used again", "abca", "bca" },
	{ "the newest again", "abcc", "abc" },
	{ "the middle one again", "abcb", "acb" },
	{ "full: the oldest goes", "abcd", "bcd" },
	{ "full: the oldest by use goes", "abcad", "cad" },
	{ "looking is no use", "abcAd", "bcd" },
	{ "many", "abcdefghijk", "ijk" },
};

static const uint8_t seed[16] = { 1 };

static void play(struct lru *lru, const char *uses)
{
	for (int i = 0; uses[i] != '\0'; i++) {
		char key = (char)(uses[i] | ' ');
		struct thing *thing;

		if (uses[i] != key) {
			assert_non_null(lru_find(lru, (struct pw_str){ &key, 1 }));
			continue;
		}
		thing = lru_use(lru, (struct pw_str){ &key, 1 });
		assert_non_null(thing);
		assert_in_range(thing->number, 0, i); /* zeroed when new */
		thing->number = i + 1;
	}
}

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(lru_free) struct lru *lru = NULL;
	struct lru_entry *entry;
	char left[20] = "";

	assert_int_equal(lru_new(&lru, seed, 3, sizeof(struct thing)), PW_OK);
	play(lru, row->uses);
	for (entry = lru_oldest(lru); entry != NULL; entry = entry->newer) {
		strncat(left, entry->key.at, entry->key.len);
		assert_ptr_equal(lru_find(lru, entry->key), entry);
	}
	assert_string_equal(left, row->left);
	assert_int_equal(lru_count(lru), strlen(row->left));
}

static void check_drop(void **state)
{
	PW_AUTO(lru_free) struct lru *lru = NULL;

	(void)state;
	assert_int_equal(lru_new(&lru, seed, 3, sizeof(struct thing)), PW_OK);
	play(lru, "abc");
	lru_drop(lru, lru_find(lru, PW_STR("b")));
	assert_null(lru_find(lru, PW_STR("b")));
	assert_int_equal(lru_count(lru), 2);
	lru_drop(lru, lru_oldest(lru));
	lru_drop(lru, lru_oldest(lru));
	assert_null(lru_oldest(lru));
	play(lru, "d");
	assert_int_equal(lru_count(lru), 1);
}

static void check_empty_key(void **state)
{
	PW_AUTO(lru_free) struct lru *lru = NULL;
	void *entry;

	(void)state;
	assert_int_equal(lru_new(&lru, seed, 1, sizeof(struct thing)), PW_OK);
	assert_non_null(entry = lru_use(lru, PW_STR("")));
	assert_ptr_equal(lru_use(lru, PW_STR("")), entry);
}

int main(void)
{
	enum { ROWS = PW_LEN(rows) };
	struct CMUnitTest tests[ROWS + 2] = { [ROWS] = cmocka_unit_test(check_drop),
		                              [ROWS + 1] =
		                                      cmocka_unit_test(check_empty_key) };

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
