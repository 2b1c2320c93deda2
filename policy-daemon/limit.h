/* The limits of sending, as checks of decide.c. Pure. */
#pragma once

#include "policyd/question.h"

/* Is the login suspended from sending? */
void limit_check_block(struct decision *out, const struct question *q);
/* Charge the question, or refuse it. */
void limit_check(struct decision *out, const struct question *q);
/* Give back what the message holds. Returns the tokens given back. */
int64_t limit_release(struct decide_session *session);
/* It waits for no lease any more: it is decided anew, or over. */
void limit_end_waits(struct decide_session *session);
