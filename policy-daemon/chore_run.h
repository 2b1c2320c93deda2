/* One try at one chore: the conversation with Dovecot, which may block. */
#pragma once

#include <stdatomic.h>

#include "policyd/chore_queue.h"

struct chore_outcome {
	enum {
		CHORE_DONE,
		CHORE_NOTHING, /* no session was there to be closed */
		CHORE_RETRY,   /* the peer is away or cannot now */
		CHORE_REFUSED, /* it never will */
	} end;
	const char *why; /* of the latter two; static */
};

/* path         of the peer's socket
 * is_stopping  ends it soon when set, with CHORE_RETRY */
struct chore_outcome chore_run(const struct chore *chore, const char *path,
                               const atomic_bool *is_stopping);
