/* One question on its way through the checks of decide.c. */
#pragma once

#include "policyd/decide.h"

struct question {
	struct decide_world *world;
	struct decide_session *session;
	const struct request *request;
	/* in normal form; what is no address in lower case; empty = none */
	struct pw_str login, sender, recipient, client_name;
	bool has_sender; /* sender is an address */
	int64_t now_us;
};

static inline void decision_set(struct decision *out, enum decide_verdict verdict,
                                enum decide_cause cause)
{
	out->verdict = verdict;
	out->cause = cause;
}

static inline void decision_set_fault(struct decision *out, enum pw_status status)
{
	decision_set(out, DECIDE_DEFER, CAUSE_FAULT);
	out->status = status;
}
