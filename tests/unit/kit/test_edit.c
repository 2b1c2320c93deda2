#include "../table.h"

#include "kit/edit.h"

struct row {
	const char *label;
	struct kit_edit edits[6];
	size_t count;
	size_t order[6];
};

static struct row rows[] = {
	{ "deletes last to first",
	  { { KIT_DELETE, 1, "A", NULL }, { KIT_DELETE, 3, "A", NULL }, { KIT_DELETE, 2, "A", NULL } },
	  3, { 1, 2, 0 } },
	{ "deletes before inserts before adds",
	  { { KIT_ADD, 0, "X", "1" }, { KIT_INSERT, 1, "Y", "2" }, { KIT_DELETE, 1, "Z", NULL } },
	  3, { 2, 1, 0 } },
	{ "adds keep their order", { { KIT_ADD, 0, "X", "1" }, { KIT_ADD, 0, "X", "2" } }, 2,
	  { 0, 1 } },
	{ "inserts at one place go in backwards",
	  { { KIT_INSERT, 1, "X", "1" }, { KIT_INSERT, 1, "X", "2" } }, 2, { 1, 0 } },
	{ "inserts further down first",
	  { { KIT_INSERT, 0, "X", "1" }, { KIT_INSERT, 5, "X", "2" } }, 2, { 1, 0 } },
	{ "nothing", { { 0 } }, 0, { 0 } },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	size_t order[6];

	kit_edit_order(order, row->edits, row->count);
	for (size_t i = 0; i < row->count; i++)
		assert_int_equal(order[i], row->order[i]);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
