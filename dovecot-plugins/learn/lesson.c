#include "lesson.h"

static const struct move {
	enum lesson_box from, to;
	enum pw_learn_verdict verdict;
} moves[] = {
	/* clang-format off */
	{ LESSON_BOX_OTHER, LESSON_BOX_JUNK,  PW_LEARN_SPAM },
	{ LESSON_BOX_TRASH, LESSON_BOX_JUNK,  PW_LEARN_SPAM },
	{ LESSON_BOX_JUNK,  LESSON_BOX_OTHER, PW_LEARN_HAM },
	/* Junk to Trash is how spam is thrown away */
	/* clang-format on */
};

bool lesson_of_move(enum lesson_box from, enum lesson_box to,
                    enum pw_learn_verdict *verdict_out)
{
	for (size_t i = 0; i < PW_LEN(moves); i++) {
		if (moves[i].from == from && moves[i].to == to) {
			*verdict_out = moves[i].verdict;
			return true;
		}
	}
	return false;
}
