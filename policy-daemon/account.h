/* What one key has used of one rule, whichever kind of rule that is. A million of these
 * fit into 100 MB: what most of them do not need is apart. Pure. */
#pragma once

#include "core/window.h"
#include "policyd/rules.h"

/* What accounts of a rule have in common. */
struct ledger_terms {
	struct ledger_terms *next;
	int64_t rule_id;
	struct pw_rate
		rate; /* that they were counted with; limit 0 = stored, not used yet
	               */
	enum rule_kind kind;
	size_t accounts; /* how many */
};

/* What few accounts need. */
struct ledger_more {
	int64_t told_until_us;    /* no second event before this */
	int64_t over_count;       /* attempts over the limit since the last event */
	struct pw_window *window; /* of RULE_WINDOW */
	struct leased *leased;    /* of lease_book.h; NULL = nothing is held */
};

struct ledger_account {
	/* of RULE_BUCKET; full = idle. Where nodes share counters: what was last seen of
	 * the shared one, of a window too */
	struct pw_bucket bucket;
	struct ledger_terms *terms;
	struct ledger_more *more; /* NULL = nothing of it */
	uint32_t who_len : 11;
	uint32_t is_changed : 1; /* to be stored */
	uint32_t pins : 20;      /* messages under way that point here */
	char who[];
};

static inline struct leased *account_leased(const struct ledger_account *account)
{
	return account->more != NULL ? account->more->leased : NULL;
}

struct pw_str account_who(const struct ledger_account *account);
bool account_is_idle(const struct ledger_account *account, int64_t now_us);

/* As pw_rate_* and pw_window_*; the account was opened (ledger.h) just now. */
bool account_reserve(struct ledger_account *account, int64_t cost, int64_t now_us);
void account_commit(struct ledger_account *account, int64_t cost, int64_t now_us);
void account_refund(struct ledger_account *account, int64_t cost);
int64_t account_used(const struct ledger_account *account, int64_t now_us);
int64_t account_retry_after(const struct ledger_account *account, int64_t cost,
                            int64_t now_us);
/* When it is idle again, if nothing is reserved. */
int64_t account_full_at(const struct ledger_account *account);
/* Its rule is another now: keep what was used. more and its window are there where the
 * new kind needs them. */
void account_change(struct ledger_account *account, struct ledger_terms *to,
                    int64_t now_us);
/* Nothing was used; what is reserved stays. */
void account_clear(struct ledger_account *account);
