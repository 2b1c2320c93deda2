/* Which messages are so surely spam or ham that Bayes may learn them by itself. Pure. */
#pragma once

#include "mail/judge.h"

/* Points without those of Bayes: from here on spam, down from here ham. */
#define AUTOLEARN_SPAM_MILLI 12000
#define AUTOLEARN_HAM_MILLI (-1000)
/* Spam by fewer groups than these is one rule's opinion. */
#define AUTOLEARN_GROUPS_MIN 3
/* Ham shows no mark of more. */
#define AUTOLEARN_HAM_MARK_MILLI 500

enum autolearn { AUTOLEARN_NOTHING, AUTOLEARN_SPAM, AUTOLEARN_HAM };

/* Bayes does not teach itself: its own points count nothing, and where it says the
 * contrary nothing is learned. Ham has to be authenticated. */
enum autolearn autolearn_decide(const struct pw_verdict *verdict);
