/* Where mail for an address ends up: the mailboxes behind aliases, subaddresses, alias
 * domains and catch-alls, in the one order of mail.who_gets (exact alias, mailbox,
 * subaddress base, alias domain, catch-all). Pure. */
#pragma once

#include "policyd/catalog.h"

#define RESOLVE_DEPTH_MAX 10
/* Mailboxes looked at; those beyond are not judged. */
#define RESOLVE_MAILBOXES_MAX 100
/* Addresses looked at in all, whatever the aliases say. */
#define RESOLVE_STEPS_MAX 1000

struct resolve_result {
	const struct catalog_entry *mailboxes[RESOLVE_MAILBOXES_MAX];
	size_t count; /* 0 = nobody we know */
	size_t steps;
	bool is_cut; /* there may be more mailboxes than these */
};

/* address in normal form; what out holds lives in the catalog. Cannot fail; loops, depth
 * and fan-out are bounded. */
void resolve(struct resolve_result *out, const struct catalog *catalog,
             struct pw_str address);
