#include "dkim/seal.h"

#include "mail/arc_results.h"

/* Every validator knows RSA. */
static const struct keyring_key *find_rsa(const struct keyring_domain *domain)
{
	for (size_t i = 0; i < domain->count; i++)
		if (pw_dkim_key_algorithm(domain->keys[i].key) == PW_DKIM_RSA_SHA256)
			return &domain->keys[i];
	return NULL;
}

/* Is what is there what score looked at? A set more is our own, of the way in. */
static bool is_the_chain(const struct pw_arc_chain *chain, enum pw_arc_result cv,
                         unsigned sets)
{
	bool is_there = chain->count > 0 || chain->broken != NULL;

	return chain->count == sets && is_there == (cv != PW_ARC_NONE);
}

static bool is_ended(const struct pw_arc_chain *chain)
{
	return chain->count > 0 && chain->sets[chain->count - 1].cv == PW_ARC_FAIL;
}

void seal_decide(struct seal_plan *plan, const struct seal_facts *facts,
                 const struct keyring *keyring, struct pw_str seal_domain)
{
	struct pw_str name = seal_domain.len > 0 ? seal_domain : facts->domain;
	unsigned sets;

	*plan = (struct seal_plan){ .cause = NULL };
	if (facts->results.len == 0 ||
	    !pw_arc_results_chain(facts->results, &plan->cv, &sets))
		plan->cause = "no_results";
	else if (!is_the_chain(facts->chain, plan->cv, sets))
		plan->cause = "other_chain";
	else if (is_ended(facts->chain))
		plan->cause = "chain_failed"; /* RFC 8617 5.1, step 2 */
	else if (facts->chain->count == PW_ARC_SETS_MAX)
		plan->cause = "chain_full";
	else if (facts->chain->count == 0 && plan->cv == PW_ARC_FAIL)
		plan->cause = "chain_unreadable";
	else if (!keyring)
		plan->cause = "no_snapshot";
	else if (!(plan->domain = keyring_find(keyring, name)) ||
	         !(plan->key = find_rsa(plan->domain)))
		plan->cause = "no_key";
}

const char *seal_failure_text(enum pw_status status)
{
	switch ((int)status) {
	case PW_ERR_LIMIT:
		return "line_too_long";
	case PW_ERR_SYNTAX:
		return "stray_bytes";
	default:
		return "internal";
	}
}
