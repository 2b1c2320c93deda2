/* Checks of decide.c at RCPT that have files of their own: the lists (access.h), posting
 * rights (posting.h), greylisting (grey.h). Pure. */
#pragma once

#include "policyd/question.h"

/* Refused by a list? What its allow entries skip is kept in out->access. */
void step_access(struct decision *out, const struct question *q);
/* May this login, or stranger, write to that address? */
void step_posting(struct decision *out, const struct question *q);
/* Must it come again? Strangers' mail to addresses there are. */
void step_greylist(struct decision *out, const struct question *q);
