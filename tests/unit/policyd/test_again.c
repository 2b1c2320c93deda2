/* When the database is asked again for many rows. */
#include "../table.h"

#include "core/base.h"
#include "policyd/again.h"

#define NOW 5000000

static struct row {
	const char *label;
	enum pw_status result;
	int64_t every_ms, due_ms; /* after the question */
} rows[] = {
	{ "an answer: after the usual time", PW_OK, 15000, 15000 },
	{ "an answer, with no pause of its own", PW_OK, 0, 0 },
	{ "too much for it: a minute", PW_ERR_TIMEOUT, 15000, 60000 },
	{ "the usual time is shorter than a minute", PW_ERR_TIMEOUT, 0, 60000 },
	{ "refused: a minute", PW_ERR_DENIED, 0, 60000 },
	{ "an error of the statement: a minute", PW_ERR_PROTOCOL, 0, 60000 },
	{ "no connection: soon", PW_ERR_AWAY, 15000, 1000 },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct again again = { 0 };

	assert_true(again_is_due(&again, NOW));
	again_asked(&again, row->result, row->every_ms, NOW);
	assert_true(again_is_due(&again, NOW + row->due_ms));
	if (row->due_ms > 0)
		assert_false(again_is_due(&again, NOW + row->due_ms - 1));
	again_asked(&again, PW_OK, 0, NOW + row->due_ms); /* what failed is forgotten */
	assert_true(again_is_due(&again, NOW + row->due_ms));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
