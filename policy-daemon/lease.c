#include "policyd/lease.h"

__extension__ typedef __int128 wide;

/* A counter that is empty is looked at again after this at the latest: somebody may have
 * given back, or an admin begun it anew. */
#define DRY_MAX_US 1000000
/* Fewer are not asked for ahead of need: so near the limit others need them. */
#define AHEAD_MIN 4
/* Nobody waits so long for a counter that somebody else holds locked. */
#define LATER_US 1000000

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Microseconds in which so many tokens flow back, rounded up. */
static int64_t flow_us(const struct pw_rate *rate, int64_t tokens)
{
	return (int64_t)(((wide)tokens * rate->period_us + rate->limit - 1) /
	                 rate->limit);
}

/* Those used first flow back first, so the unspent ones are the last: as many as still
 * lack until the lease is all back. */
int64_t lease_left(const struct lease *lease, const struct lease_terms *terms,
                   int64_t now_us)
{
	wide gap = (wide)(lease->until_us - now_us) * terms->rate.limit;

	if (gap <= 0 || lease->tokens <= 0)
		return 0;
	if (terms->is_window)
		return lease->tokens;
	gap = (gap + terms->rate.period_us - 1) / terms->rate.period_us;
	return gap < lease->tokens ? (int64_t)gap : lease->tokens;
}

/* Tokens that can be given back: those of a window by their slot, however late. */
static int64_t unspent(const struct lease *lease, const struct lease_terms *terms,
                       int64_t now_us)
{
	return terms->is_window && lease->tokens > 0 ? lease->tokens
	                                             : lease_left(lease, terms, now_us);
}

bool lease_is_low(const struct lease *lease, const struct lease_terms *terms,
                  int64_t now_us)
{
	return lease->granted >= AHEAD_MIN && !terms->is_window &&
	       lease_left(lease, terms, now_us) * 2 < lease->granted;
}

/* ---- taking */

/* What may be spent of a key the database was never asked about, without waiting. */
static int64_t allowance(const struct lease_terms *terms, const struct lease_link *link)
{
	int64_t share = terms->rate.burst / (8 * link->nodes);

	return share > 1 ? share : 1;
}

static bool take_ahead(struct lease *lease, const struct pw_bucket *seen,
                       const struct lease_terms *terms, const struct lease_link *link,
                       int64_t cost, int64_t now_us)
{
	struct pw_bucket known = *seen;

	if (!terms->is_lax || lease->is_known ||
	    lease->ahead + cost > allowance(terms, link) ||
	    !pw_rate_reserve(&known, &terms->rate, lease->ahead + cost, now_us))
		return false;
	lease->ahead += cost;
	return true;
}

/* Each of n nodes may use a share of what was left when it was last seen, and of what
 * flows back: so one token of ours weighs n. */
static enum lease_answer take_in_outage(struct pw_bucket *seen,
                                        const struct lease_terms *terms,
                                        const struct lease_link *link, int64_t cost,
                                        struct lease_loan *loan, int64_t now_us)
{
	bool is_open = terms->on_outage == LEASE_OPEN;

	if (terms->on_outage == LEASE_SHUT)
		return LEASE_CLOSED;
	if (loan->owed == 0)
		loan->factor = is_open ? 0 : link->nodes;
	if (!is_open &&
	    (loan->factor == 0 || cost > PW_RATE_COUNT_MAX / loan->factor ||
	     !pw_rate_reserve(seen, &terms->rate, cost * loan->factor, now_us)))
		return LEASE_EMPTY;
	loan->owed += cost;
	return LEASE_TAKEN;
}

enum lease_answer lease_take(struct lease *lease, struct pw_bucket *seen,
                             const struct lease_terms *terms,
                             const struct lease_link *link, int64_t cost, bool is_late,
                             struct lease_loan *loan, int64_t now_us)
{
	int64_t left = lease_left(lease, terms, now_us);
	bool is_unanswered =
		now_us < lease->later_us ||
		(lease->asked_us != 0 && now_us - lease->asked_us >= link->wait_us);

	lease->used_us = now_us;
	if (cost > terms->rate.burst)
		return LEASE_EMPTY;
	if (left >= cost) {
		lease->tokens = left - cost;
		lease->spent += cost;
	} else if (now_us < lease->dry_us && cost >= lease->dry_cost) {
		return LEASE_EMPTY;
	} else if (link->is_away || is_late || is_unanswered) {
		enum lease_answer answer =
			take_in_outage(seen, terms, link, cost, loan, now_us);

		lease->lent += answer == LEASE_TAKEN ? cost : 0;
		return answer;
	} else if (!take_ahead(lease, seen, terms, link, cost, now_us)) {
		return LEASE_WAIT;
	}
	if (loan->leased == 0) {
		loan->until_us = lease->until_us;
		loan->until_db = lease->until_db;
		loan->era = lease->era;
	}
	loan->leased += cost;
	lease->lent += cost;
	return LEASE_TAKEN;
}

int64_t lease_retry_after(const struct lease *lease, const struct pw_bucket *seen,
                          const struct lease_terms *terms, int64_t cost, int64_t now_us)
{
	if (cost <= terms->rate.burst && cost == lease->dry_cost &&
	    lease->next_us > now_us)
		return lease->next_us - now_us;
	return pw_rate_retry_after(seen, &terms->rate, cost, now_us);
}

/* ---- using and giving back what a message took */

void lease_refund(struct lease *lease, struct pw_bucket *seen, struct lease_loan *loan,
                  int64_t tokens)
{
	int64_t owed = least(tokens, loan->owed),
		leased = least(tokens - owed, loan->leased);

	loan->owed -= owed;
	loan->leased -= leased;
	lease->lent -= owed + leased;
	if (owed > 0 && loan->factor > 0)
		pw_rate_refund(seen, owed * loan->factor);
	if (leased > 0 && loan->era != lease->era)
		return; /* the counter began anew: void */
	/* of a lease before: all that is held counts as that old */
	if (leased > 0 && loan->until_us != 0 && loan->until_us < lease->until_us) {
		lease->until_us = loan->until_us;
		lease->until_db = least(lease->until_db, loan->until_db);
	}
	lease->tokens += leased;
	lease->spent -= leased;
}

static void owe(struct lease *lease, const struct lease_terms *terms, int64_t tokens,
                int64_t now_us)
{
	if (lease->owed == 0 || lease->owed_until_us < now_us)
		lease->owed_until_us = now_us;
	lease->owed_until_us += flow_us(&terms->rate, tokens);
	lease->owed += tokens;
	lease->owed_us = now_us;
}

void lease_commit(struct lease *lease, struct pw_bucket *seen,
                  const struct lease_terms *terms, struct lease_loan *loan, int64_t used,
                  int64_t now_us)
{
	lease_refund(lease, seen, loan, loan->leased + loan->owed - used);
	if (loan->owed > 0) {
		owe(lease, terms, loan->owed, now_us);
		if (loan->factor > 0)
			pw_rate_commit(seen, &terms->rate, loan->owed * loan->factor,
			               now_us);
	}
	lease->lent -= loan->leased + loan->owed;
	*loan = (struct lease_loan){ 0 };
}

/* ---- asking */

void lease_ask(struct lease *lease, const struct lease_terms *terms,
               struct lease_question *out, int64_t now_us)
{
	lease->tokens = unspent(lease, terms, now_us);
	*out = (struct lease_question){
		.cost = lease->least > 0 ? lease->least : 1,
		.need = lease->waiting + lease->ahead,
		.have = lease->until_db != 0 ? lease->tokens : 0,
		.until_db = lease->until_db,
	};
	lease->asked_us = now_us;
	if (lease->silent_us == 0)
		lease->silent_us = now_us;
	lease->asked_cost = out->cost;
	lease->spent = 0;
}

static void close_question(struct lease *lease, const struct lease_terms *terms,
                           int64_t unpaid, int64_t now_us)
{
	if (unpaid > 0)
		owe(lease, terms, unpaid, now_us);
	lease->ahead = 0;
	lease->asked_us = 0;
}

void lease_hear(struct lease *lease, struct pw_bucket *seen,
                const struct lease_terms *terms, const struct lease_grant *grant,
                int64_t now_us)
{
	int64_t unpaid = lease->ahead;

	if (grant->lasts_us >= 0) {
		int64_t tokens = grant->held - lease->spent - lease->ahead;

		unpaid = tokens < 0 ? -tokens : 0;
		lease->tokens = tokens > 0 ? tokens : 0;
		lease->granted = grant->held;
		lease->until_us = lease->asked_us + grant->lasts_us;
		lease->until_db = grant->until_db;
		lease->dry_us = 0;
	} else if (grant->next_us != 0) {
		int64_t pause = grant->next_us < 0 ? DRY_MAX_US
		                                   : least(grant->next_us, DRY_MAX_US);

		lease->granted = 0;
		lease->dry_us = now_us + pause;
		lease->dry_cost = lease->asked_cost;
		lease->next_us = now_us + grant->next_us;
	}
	seen->full_at_us = now_us + grant->behind_us;
	seen->part = 0;
	lease->is_known = true;
	lease->silent_us = lease->later_us = 0;
	close_question(lease, terms, unpaid, now_us);
}

void lease_unheard(struct lease *lease, const struct lease_terms *terms, int64_t now_us)
{
	close_question(lease, terms, lease->ahead, now_us);
	lease->silent_us = 0;
	if (terms->is_window && lease_left(lease, terms, now_us) == 0)
		lease->tokens = 0; /* perhaps taken back already */
}

void lease_later(struct lease *lease, const struct lease_terms *terms,
                 const struct lease_link *link, int64_t now_us)
{
	close_question(lease, terms, lease->ahead, now_us);
	if (now_us - lease->silent_us < link->wait_us)
		return;
	lease->silent_us = 0;
	lease->later_us = now_us + LATER_US;
}

/* ---- telling */

/* The counter, as seen, without so many of the tokens used last. */
static void forget_use(struct pw_bucket *seen, const struct lease_terms *terms,
                       int64_t tokens, int64_t now_us)
{
	seen->full_at_us -= flow_us(&terms->rate, tokens);
	if (seen->full_at_us < now_us)
		seen->full_at_us = now_us;
}

bool lease_give_back(struct lease *lease, struct pw_bucket *seen,
                     const struct lease_terms *terms, struct lease_delta *out,
                     int64_t now_us)
{
	int64_t left = unspent(lease, terms, now_us);

	if (lease->asked_us != 0)
		return false;
	*out = (struct lease_delta){ .back = left, .until_db = lease->until_db };
	lease->tokens = lease->granted = 0;
	if (left == 0 || lease->until_db == 0)
		return false;
	forget_use(seen, terms, left, now_us);
	return true;
}

bool lease_settle(struct lease *lease, struct lease_delta *out, int64_t now_us)
{
	*out = (struct lease_delta){ .used = lease->owed,
		                     .lasts_us = lease->owed_until_us - now_us,
		                     .age_us = now_us - lease->owed_us };
	lease->owed = 0;
	return out->used > 0;
}

void lease_change(struct lease *lease, const struct pw_rate *from,
                  const struct pw_rate *to, int64_t now_us)
{
	wide gap = (wide)(lease->until_us - now_us) * from->limit;

	if (gap > 0)
		lease->until_us = now_us + (int64_t)(gap * to->period_us /
		                                     from->period_us / to->limit);
	lease->until_db = 0; /* the database counts anew: it does not come back */
	lease->dry_us = 0;
}

void lease_reset(struct lease *lease)
{
	lease->era++;
	lease->tokens = lease->granted = lease->until_us = 0;
	lease->until_db = lease->dry_us = 0;
	lease->owed = 0;
}

bool lease_is_over(const struct lease *lease, const struct lease_terms *terms,
                   int64_t now_us)
{
	return lease->asked_us == 0 && lease->waiting == 0 && lease->lent == 0 &&
	       lease->owed == 0 && lease->dry_us <= now_us &&
	       (lease->until_db == 0 || unspent(lease, terms, now_us) == 0) &&
	       lease_left(lease, terms, now_us) == 0;
}
