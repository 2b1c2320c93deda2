/* What is done with a judged message: pure. */
#pragma once

#include "kit/edit.h"
#include "mail/judge.h"
#include "score/forged.h"

enum answer_kind { ANSWER_ACCEPT, ANSWER_REJECT, ANSWER_DMARC_REJECT };

#define ANSWER_ADDED_MAX 4 /* fields of ours */

/* Texts live in the buffers or are static. */
struct answer {
	enum answer_kind kind;
	bool dmarc_dry_run; /* it would have been ANSWER_DMARC_REJECT */
	struct pw_buf text; /* for the client, of a rejection */
	struct pw_buf results, score, status;
	struct kit_edit *edits; /* in the arena */
	size_t edit_count;
};

struct answer_input {
	const struct pw_verdict *verdict;
	const struct forged *forged;
	struct pw_str authserv_id;
	struct pw_str login; /* not empty: submission. Its mail gets no fields of ours */
	unsigned dmarc_reject; /* of settings.h */
};

/* What is forged goes from a message that passes unjudged, too: programs behind us
 * believe what is in our name.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status answer_unjudged(struct answer *out, struct pw_arena *arena,
                                             const struct forged *forged);
/* Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status answer_decide(struct answer *out, struct pw_arena *arena,
                                           const struct answer_input *input);
void answer_done(struct answer *answer);
