/* Where mail for an address ends up, in the one order of mail.resolve_step (exact alias,
 * mailbox, subaddress base, alias domain, catch-all) and with the bounds of mail.resolve.
 * All addresses are in normal form. Pure. */
#pragma once

#include "core/address.h"
#include "policyd/catalog.h"

#define RESOLVE_DEPTH_MAX 10
/* Addresses looked at in all, whatever the aliases say. */
#define RESOLVE_FAN_OUT_MAX 1000
/* Mailboxes looked at; those beyond are not judged. */
#define RESOLVE_MAILBOXES_MAX 100
/* Bytes of an address whose local part is all escapes. */
#define RESOLVE_ADDRESS_MAX (2 + 2 * PW_LOCAL_MAX + 1 + PW_DOMAIN_MAX)

/* One step: which alias or mailbox takes an address, or what it is called in the domain
 * that its own stands for. */
struct resolve_step {
	const struct catalog_entry *entry; /* lives in the catalog; NULL = the latter */
	bool is_catch_all;
	struct pw_str onward; /* in room */
	char room[RESOLVE_ADDRESS_MAX];
};

/* False: nobody takes it. */
bool resolve_step(struct resolve_step *out, const struct catalog *catalog,
                  struct pw_str address);
/* The mailbox an entry delivers to: itself, as a mailbox or as an alias that keeps a
 * copy; else NULL. It may be one that takes no mail. */
const struct catalog_entry *resolve_mailbox(const struct catalog_entry *entry);

/* The mailboxes behind an address, those that take no mail too. */
struct resolve_result {
	const struct catalog_entry *mailboxes[RESOLVE_MAILBOXES_MAX];
	size_t count; /* 0 = nobody we know */
	bool is_cut;       /* there may be more mailboxes than these */
	bool is_elsewhere; /* some of it goes to a domain that is not ours */
};

/* What out holds lives in the catalog. Cannot fail; loops, depth and fan-out are bounded.
 */
void resolve(struct resolve_result *out, const struct catalog *catalog,
             struct pw_str address);

/* The mailboxes and foreign addresses that mail for an address goes to. */
struct resolve_ends {
	struct pw_str at[RESOLVE_FAN_OUT_MAX]; /* each once */
	size_t count;
	bool is_alias; /* its first step leads on: it is not a mailbox's own address */
	bool is_by_catch_all; /* some step was one */
};

/* What out holds lives in the catalog, or is address itself.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status resolve_ends(struct resolve_ends *out,
                                          const struct catalog *catalog,
                                          struct pw_str address);
