/* A message of the edge's queue on its way inside: what is said of each recipient, and
 * what happens to a refusal. */
#pragma once

#include "origin/queue/recipient_list.h"
#include "origin/queue/talk.h"

struct queued {
	struct recipient_list *list;
	struct hold *hold;
	bool is_asked; /* the inner server has been asked: verdict is what it said */
	enum upstream_verdict verdict;
	bool may_hold; /* a copy is kept: a refusal may have to end in hold */
	int64_t at_ms; /* when the edge took it; 0 = not known */
};

/* Ask the inner server about sender and recipients. UPSTREAM_OK: it wants the message. */
void queued_ask(struct talk *t);
/* Would Postfix learn all there is to know from a refusal of DATA? Then nobody has to
 * read the message. */
bool queued_needs_no_message(const struct talk *t);
/* Say after the message what is to be said of each recipient. Mail that is refused for
 * good is put on hold here, or bounced if that harms nobody.
 *
 * of_message  the inner server's verdict on it, for the recipients it accepted
 * status      what went wrong on this host, else PW_OK */
void queued_answer(struct talk *t, enum upstream_verdict of_message,
                   enum pw_status status);
