/* What came from the same places before: how many messages of spam and of ham, in
 * thousandths, faded with time by who keeps them. Pure. */
#pragma once

#include "core/buf.h"

enum pw_reputation_kind {
	PW_REPUTATION_NETWORK, /* of the client */
	PW_REPUTATION_SENDER,  /* the author's domain, where DMARC passes */
	PW_REPUTATION_DKIM,    /* who signed */
	PW_REPUTATION_URL,     /* where links lead */
};
#define PW_REPUTATION_KINDS 4

#define PW_REPUTATION_MAX 16             /* sources of one message */
#define PW_REPUTATION_OF_KIND_MAX 8      /* of one kind */
#define PW_REPUTATION_ENOUGH_MILLI 10000 /* fewer messages say nothing */

struct pw_reputation_source {
	enum pw_reputation_kind kind;
	struct pw_str name; /* borrowed */
	int64_t spam_milli, ham_milli;
};

/* The sources of one message. All zero is none. */
struct pw_reputation {
	struct pw_reputation_source at[PW_REPUTATION_MAX];
	size_t count;
};

/* Add a source that nothing is known of yet; once, and while there is room. */
void pw_reputation_add(struct pw_reputation *r, enum pw_reputation_kind kind,
                       struct pw_str name);
/* "network:192.0.2.0/24" */
void pw_reputation_put(struct pw_buf *out, const struct pw_reputation_source *source);
/* What its past says of the next message: -1000 (surely honest) .. 1000 (surely spam); 0:
 * nothing, too few or both. */
int32_t pw_reputation_weigh(const struct pw_reputation_source *source);

enum pw_reputation_verdict {
	PW_REPUTATION_DOUBT,
	PW_REPUTATION_SPAM,
	PW_REPUTATION_HAM,
};
/* What a message is counted as: only what is clear, 2 points above the threshold or 4
 * below.
 *
 * score_milli     without what reputation itself added, or it would prove itself
 * required_milli  threshold of marking; 0 = as by default */
enum pw_reputation_verdict pw_reputation_judge(int64_t score_milli,
                                               int32_t required_milli);
/* "spam", "ham", "": static text. */
const char *pw_reputation_verdict_text(enum pw_reputation_verdict verdict);
