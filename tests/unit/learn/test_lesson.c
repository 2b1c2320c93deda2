#include "../table.h"

#include "learn/lesson.h"

struct row {
	const char *label;
	enum lesson_box from, to;
	bool teaches;
	enum pw_learn_verdict verdict;
};

/* clang-format off */
static struct row rows[] = {
	{ "into Junk",           LESSON_BOX_OTHER, LESSON_BOX_JUNK,  true,  PW_LEARN_SPAM },
	{ "from Trash to Junk",  LESSON_BOX_TRASH, LESSON_BOX_JUNK,  true,  PW_LEARN_SPAM },
	{ "out of Junk",         LESSON_BOX_JUNK,  LESSON_BOX_OTHER, true,  PW_LEARN_HAM },
	{ "from Junk to Trash",  LESSON_BOX_JUNK,  LESSON_BOX_TRASH, false, 0 },
	{ "within Junk",         LESSON_BOX_JUNK,  LESSON_BOX_JUNK,  false, 0 },
	{ "elsewhere",           LESSON_BOX_OTHER, LESSON_BOX_OTHER, false, 0 },
	{ "into Trash",          LESSON_BOX_OTHER, LESSON_BOX_TRASH, false, 0 },
	{ "out of Trash",        LESSON_BOX_TRASH, LESSON_BOX_OTHER, false, 0 },
	{ "within Trash",        LESSON_BOX_TRASH, LESSON_BOX_TRASH, false, 0 },
};
/* clang-format on */

static void check(void **state)
{
	const struct row *row = *state;
	enum pw_learn_verdict other =
		row->verdict == PW_LEARN_SPAM ? PW_LEARN_HAM : PW_LEARN_SPAM;
	enum pw_learn_verdict verdict = other;

	assert_int_equal(lesson_of_move(row->from, row->to, &verdict), row->teaches);
	assert_int_equal(verdict, row->teaches ? row->verdict : other);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
