/* A message of the edge's queue on its way inside: what is said of each recipient, and
 * what happens to a refusal. */
#pragma once

#include "origin/queue/recipient_list.h"
#include "origin/queue/talk.h"

struct queued {
	struct recipient_list *list;
	struct hold *hold; /* NULL = not needed yet */
	bool is_asked;     /* the inner server has been asked: verdict is what it said */
	enum upstream_verdict verdict;
	bool has_stamp;
	bool may_hold; /* a copy is kept: a refusal may have to end in hold */
	int64_t at_ms; /* when Postfix took it; 0 = not known */
};

/* Ask the inner server about sender and recipients. UPSTREAM_OK: it wants the message.
 *
 * origin  what XCLIENT is to say; NULL = nothing: the message was born here, or carries
 *         a stamp */
void queued_ask(struct talk *t, const struct pw_origin *origin);
/* It must not go inside now; why is for the log. */
void queued_withhold(struct talk *t, const char *why);
/* Is the inner server there? If not, that is what will be said of every recipient. */
bool queued_is_reachable(struct talk *t);
/* Would Postfix learn all there is to know from a refusal of DATA? Then nobody has to
 * read the message. */
bool queued_needs_no_message(const struct talk *t);
/* Decide about refusals: mail that is refused for good is put on hold, or bounced if that
 * harms nobody. queued_answer does it too. */
void queued_settle(struct talk *t);
/* Say after the message what is to be said of each recipient.
 *
 * of_message  the inner server's verdict on it, for the recipients it accepted
 * status      what went wrong on this host, else PW_OK */
void queued_answer(struct talk *t, enum upstream_verdict of_message,
                   enum pw_status status);
