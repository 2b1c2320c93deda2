/* Which mail gets an ARC set of ours, and what it says: pure. */
#pragma once

#include "dkim/keyring.h"
#include "mail/arc_chain.h"

/* A message that goes outside, or is sent on by a Sieve script. */
struct seal_facts {
	struct pw_str domain; /* where it was forwarded */
	struct pw_str
		results; /* what score said of it (mail/arc_results.h); empty: nothing */
	const struct pw_arc_chain *chain; /* what is there */
};

struct seal_plan {
	const char *cause; /* why there will be none, static; NULL: there will be one */
	const struct keyring_domain *domain;
	const struct keyring_key *key;
	enum pw_arc_result cv; /* of the chain as it came */
};

/* keyring: NULL = there is no snapshot. seal_domain: always this one's key; empty: that
 * of facts->domain.
 *
 * RFC  8617 5.1 */
void seal_decide(struct seal_plan *plan, const struct seal_facts *facts,
                 const struct keyring *keyring, struct pw_str seal_domain);
/* Why a seal could not be made: static text. */
const char *seal_failure_text(enum pw_status status);
