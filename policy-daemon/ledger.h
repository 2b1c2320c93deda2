/* How much who has used of which rule: the buckets of all (rule, who) pairs met so far.
 * One thread owns it. Idle buckets are forgotten first: an idle one equals one never
 * seen. Pure. */
#pragma once

#include "policyd/catalog.h"

#define LEDGER_ACCOUNTS_MAX ((size_t)1000 * 1000)
#define LEDGER_WHO_MAX 512

struct ledger;

/* What one login has used of one rule. */
struct ledger_account {
	struct pw_bucket bucket;
	struct pw_rate rate; /* that the bucket was counted with */
	int64_t rule_id;
	struct pw_str who;
	int64_t told_until_us; /* no second event before this */
	struct ledger_account *next_changed;
	bool is_changed; /* in the list of those to be stored */
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, ledger_free */
PW_MUST_CHECK enum pw_status ledger_new(struct ledger **out, const uint8_t seed[16],
                                        size_t accounts_max);
void ledger_free(struct ledger **ledger);

/* The account of who under rule, made where there is none, its bucket brought to the
 * rule's present rate. It stays where it is while tokens are reserved in it or it is not
 * full; hold no pointer to another.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT who too long, or all accounts are in use */
PW_MUST_CHECK enum pw_status ledger_open(struct ledger *ledger,
                                         struct ledger_account **out,
                                         const struct catalog_rule *rule,
                                         struct pw_str who, int64_t now_us);

/* Note that the bucket of account moved and is to be stored. */
void ledger_touch(struct ledger *ledger, struct ledger_account *account);
/* Take one account off the list of those to be stored; NULL = none. */
struct ledger_account *ledger_next_changed(struct ledger *ledger);

/* Add what a stored bucket, full again at full_at_us, lacks to what was used since the
 * start: once for each stored bucket.
 *
 * Errors  as ledger_open */
PW_MUST_CHECK enum pw_status ledger_restore(struct ledger *ledger, int64_t rule_id,
                                            struct pw_str who, int64_t full_at_us,
                                            int64_t now_us);
size_t ledger_count(const struct ledger *ledger);
