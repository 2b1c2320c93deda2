/* What was learned. */
#include "mail/checks_room.h"

void pw_check_bayes(const struct pw_check *c)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str evidence;

	if (c->bayes == NULL ||
	    (c->bayes->verdict != PW_BAYES_SPAM && c->bayes->verdict != PW_BAYES_HAM))
		return;
	pw_bayes_put(&text, c->bayes);
	if (pw_arena_copy(c->arena, pw_buf_str(&text), &evidence) != PW_OK)
		evidence = PW_STR("");
	pw_hits_add(c->hits,
	            c->bayes->verdict == PW_BAYES_SPAM ? PW_SYM_BAYES_SPAM
	                                               : PW_SYM_BAYES_HAM,
	            c->bayes->factor_milli, evidence);
}
