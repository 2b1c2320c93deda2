/* How much who has used of which rule: the accounts of all (rule, who) pairs met so far.
 * One thread owns it. Idle accounts are forgotten first: an idle one equals one never
 * seen. Pure. */
#pragma once

#include "policyd/account.h"

#define LEDGER_ACCOUNTS_MAX ((size_t)1000 * 1000)
#define LEDGER_WHO_MAX 1023

struct ledger;

/* Errors  PW_ERR_NOMEM
 * Owner   caller, ledger_free */
PW_MUST_CHECK enum pw_status ledger_new(struct ledger **out, const uint8_t seed[16],
                                        size_t accounts_max);
void ledger_free(struct ledger **ledger);

/* The account of who (a rule's key, rules.h) under rule, made where there is none,
 * brought to the rule's present kind and rate. It stays where it is while it is not idle;
 * hold no pointer to another: a pin keeps it.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT who too long, or all accounts are in use */
PW_MUST_CHECK enum pw_status ledger_open(struct ledger *ledger,
                                         struct ledger_account **out,
                                         const struct catalog_rule *rule,
                                         struct pw_str who, int64_t now_us);
/* The account of who under a rule; NULL = there is none. */
struct ledger_account *ledger_find(const struct ledger *ledger, int64_t rule_id,
                                   struct pw_str who);
/* What few accounts have, made where it is not; NULL = no memory. */
struct ledger_more *ledger_more(struct ledger_account *account);
/* Give it back where nothing of it is needed any more. */
void ledger_less(struct ledger_account *account, int64_t now_us);

/* Note that account moved and is to be stored. */
void ledger_touch(struct ledger *ledger, struct ledger_account *account);
/* Take one account off the list of those to be stored; NULL = none. */
struct ledger_account *ledger_next_changed(struct ledger *ledger);

/* Forget what was used under a rule (0 = all) by who (empty = all); what is reserved
 * stays. Returns how many accounts that were; they are to be stored. */
size_t ledger_reset(struct ledger *ledger, int64_t rule_id, struct pw_str who);
size_t ledger_count(const struct ledger *ledger);
