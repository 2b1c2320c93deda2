/* What the inner host does with a message, stamped or not: order of checks and what
 * follows from each, as data. Pure. */
#pragma once

#include "core/stamp.h"
#include "origin/stamp/replay_table.h"

/* What was found, in the order in which it is looked at: the first that is wrong counts.
 */
struct accept_facts {
	bool is_trusted;             /* the peer is an edge of ours */
	size_t stamps;               /* fields of that name */
	bool is_first;               /* one is the first field of the header */
	enum pw_stamp_verdict stamp; /* what the first one is worth by itself */
	bool is_sender, is_recipients, is_digest; /* agree with the message's */
	bool is_replay_known;                     /* replay was asked for */
	enum replay_verdict replay;               /* only then */
	int64_t failing_ms;  /* how long this very stamp has been failing, 0 = first time
	                      */
	int64_t patience_ms; /* how long such mail is deferred before it is held */
};

enum accept_action {
	ACCEPT_PASS,       /* nothing to do */
	ACCEPT_STRIP,      /* remove what is forged, believe nothing */
	ACCEPT_ASK_REPLAY, /* all is right so far: ask, and decide again */
	ACCEPT_ORIGIN,     /* the stamp's client is the message's */
	ACCEPT_RETRY,      /* the same, and the message may have been here */
	ACCEPT_DEFER,      /* 451: it stays in the edge's queue */
	ACCEPT_HOLD,       /* take it, into the hold queue, without an origin */
	ACCEPT_REJECT,     /* 550 */
};

/* action, and why: "", "no stamp", "untrusted", "several stamps", "not first", "broken",
 * ..., "sender", "recipient", "digest", "replay", "retry". */
struct accept_plan {
	enum accept_action action;
	const char *why;
};

struct accept_plan accept_decide(const struct accept_facts *facts);
/* "pass", "strip", "ask", "accept", "retry", "defer", "hold", "reject". */
const char *accept_action_text(enum accept_action action);
