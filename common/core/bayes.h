/* Is a message more like the spam or like the ham that was learned? From how often each
 * of its tokens was seen in either (Robinson's f(w), combined by Fisher's inverse
 * chi-square: G. Robinson, "A statistical approach to the spam problem", 2003). Pure.
 *
 * Two bases are heard: the one all share, and the recipient's own. What the shared one
 * says of a token is where the own one begins, and the own counts speak with the weight
 * of what was learned: with few learned messages the answer is that of the shared base.
 */
#pragma once

#include "core/buf.h"
#include "core/tokens.h"

#define PW_BAYES_TELLING_MAX 300 /* tokens that count: those farthest from 0.5 */

/* How often something was seen. */
struct pw_bayes_seen {
	uint32_t spam, ham;
};

enum pw_bayes_base { PW_BAYES_SHARED, PW_BAYES_OWN, PW_BAYES_BASES };

/* What the database knows of a message's tokens. All zero: nothing. */
struct pw_bayes_counts {
	struct pw_bayes_seen learned[PW_BAYES_BASES];             /* messages */
	struct pw_bayes_seen seen[PW_TOKENS_MAX][PW_BAYES_BASES]; /* by place of token */
	uint32_t
		learned_min; /* of each class, else the base is silent; 0 = the default */
	uint32_t tokens_min; /* telling ones, else the answer is silence; 0 = default */
};

#define PW_BAYES_LEARNED_MIN 200
#define PW_BAYES_TOKENS_MIN 11

enum pw_bayes_verdict {
	PW_BAYES_SILENT,    /* too little is known */
	PW_BAYES_UNDECIDED, /* like both, or like neither */
	PW_BAYES_SPAM,
	PW_BAYES_HAM
};

struct pw_bayes_result {
	enum pw_bayes_verdict verdict;
	double probability;   /* of spam, 0..1; 0.5 when silent */
	int32_t factor_milli; /* of the symbol's weight, 0..1000 */
	size_t tokens;        /* that counted */
	bool heard[PW_BAYES_BASES];
};

void pw_bayes_decide(struct pw_bayes_result *out, const struct pw_bayes_counts *counts,
                     size_t token_count);
/* Evidence: "p=0.9987, 43 tokens, base shared and own". */
void pw_bayes_put(struct pw_buf *out, const struct pw_bayes_result *result);
