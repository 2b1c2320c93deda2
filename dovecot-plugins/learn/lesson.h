/* What a move from one mailbox to another says about a message. Pure. */
#pragma once

#include <stdbool.h>

#include "core/learn_line.h"

enum lesson_box {
	LESSON_BOX_OTHER,
	LESSON_BOX_JUNK,
	LESSON_BOX_TRASH,
};

/* Does it teach something, and what? verdict_out is untouched where it does not. */
bool lesson_of_move(enum lesson_box from, enum lesson_box to,
                    enum pw_learn_verdict *verdict_out);
