#include "policyd/lease_book.h"

#include <stdlib.h>

/* How often a lease is looked at; so it goes back after LEASE_IDLE_US and this at most.
 */
#define LOOK_US 1000000
/* Beyond so many an idle one goes back as soon as this. */
#define LEASES_MANY 10000
#define CROWDED_US 100000

/* In the list of active ones from its first token to the end; in that of those to be
 * asked or told about when there is something. */
struct leased {
	struct lease lease;
	struct lease_terms terms;
	struct ledger_account *account;
	struct leased *next_active, *next_asking, *next_telling;
	int64_t look_us; /* when it is to be looked at */
	bool is_asking, is_telling, is_dry;
};

struct queue {
	struct leased *first, *last;
};

struct lease_book {
	struct ledger *ledger;
	struct lease_link link;
	struct queue active; /* the one to be looked at next is the first */
	struct leased *asking, *telling;
	size_t count;
};

static void queue_put(struct queue *queue, struct leased *leased)
{
	leased->next_active = NULL;
	if (queue->last != NULL)
		queue->last->next_active = leased;
	else
		queue->first = leased;
	queue->last = leased;
}

static struct leased *queue_take(struct queue *queue)
{
	struct leased *leased = queue->first;

	queue->first = leased->next_active;
	if (queue->first == NULL)
		queue->last = NULL;
	return leased;
}

enum pw_status lease_book_new(struct lease_book **out, struct ledger *ledger)
{
	struct lease_book *book = calloc(1, sizeof(*book));

	if (book == NULL)
		return PW_ERR_NOMEM;
	book->ledger = ledger;
	book->link = (struct lease_link){ .nodes = 1, .is_away = true };
	*out = book;
	return PW_OK;
}

void lease_book_free(struct lease_book **book)
{
	if (*book == NULL)
		return;
	while ((*book)->active.first != NULL) {
		struct leased *leased = queue_take(&(*book)->active);

		leased->account->more->leased = NULL;
		free(leased);
	}
	free(*book);
	*book = NULL;
}

static void ask_about(struct lease_book *book, struct leased *leased)
{
	if (leased->is_asking || leased->lease.asked_us != 0)
		return;
	leased->is_asking = true;
	leased->next_asking = book->asking;
	book->asking = leased;
}

static void tell_about(struct lease_book *book, struct leased *leased)
{
	if (leased->is_telling)
		return;
	leased->is_telling = true;
	leased->next_telling = book->telling;
	book->telling = leased;
}

void lease_book_link(struct lease_book *book, const struct lease_link *link)
{
	bool is_back = book->link.is_away && !link->is_away;

	book->link = *link;
	for (struct leased *leased = is_back ? book->active.first : NULL; leased != NULL;
	     leased = leased->next_active)
		if (leased->lease.owed > 0)
			tell_about(book, leased);
}

/* ---- taking */

static void set_terms(struct lease_terms *out, const struct catalog_rule *rule)
{
	static const enum lease_outage outages[] = { [RULE_SHARE] = LEASE_SHARE,
		                                     [RULE_OPEN] = LEASE_OPEN,
		                                     [RULE_CLOSED] = LEASE_SHUT };

	*out = (struct lease_terms){ .rate = rule->rate,
		                     .on_outage = outages[rule->on_outage],
		                     .is_window = rule->kind == RULE_WINDOW,
		                     .is_lax = !rule->is_strict };
	if (out->is_window)
		out->rate.burst = rule->rate.limit;
}

static struct leased *open_lease(struct lease_book *book, struct ledger_account *account,
                                 const struct catalog_rule *rule, int64_t now_us)
{
	struct leased *leased = account_leased(account);
	struct ledger_more *more;
	struct lease_terms before;

	if (leased != NULL) {
		before = leased->terms;
		set_terms(&leased->terms, rule);
		if (before.rate.limit != leased->terms.rate.limit ||
		    before.rate.period_us != leased->terms.rate.period_us ||
		    before.rate.burst != leased->terms.rate.burst)
			lease_change(&leased->lease, &before.rate, &leased->terms.rate,
			             now_us);
		return leased;
	}
	if ((more = ledger_more(account)) == NULL ||
	    (leased = calloc(1, sizeof(*leased))) == NULL)
		return NULL;
	leased->account = account;
	leased->look_us = now_us + LOOK_US;
	set_terms(&leased->terms, rule);
	more->leased = leased;
	queue_put(&book->active, leased);
	book->count++;
	return leased;
}

enum lease_answer lease_book_take(struct lease_book *book, struct ledger_account *account,
                                  const struct catalog_rule *rule, int64_t cost,
                                  bool is_late, struct lease_loan *loan, int64_t now_us)
{
	struct leased *leased = open_lease(book, account, rule, now_us);
	enum lease_answer answer;

	if (leased == NULL)
		return LEASE_CLOSED;
	answer = lease_take(&leased->lease, &account->bucket, &leased->terms, &book->link,
	                    cost, is_late, loan, now_us);
	if (!book->link.is_away &&
	    (answer == LEASE_WAIT || leased->lease.ahead > 0 ||
	     (answer == LEASE_TAKEN &&
	      lease_is_low(&leased->lease, &leased->terms, now_us))))
		ask_about(book, leased);
	return answer;
}

int64_t lease_book_retry_after(const struct ledger_account *account, int64_t cost,
                               int64_t now_us)
{
	return account_leased(account) == NULL
	               ? pw_rate_retry_after(&account->bucket, &account->terms->rate,
	                                     cost, now_us)
	               : lease_retry_after(&account->more->leased->lease,
	                                   &account->bucket,
	                                   &account->more->leased->terms, cost, now_us);
}

void lease_book_commit(struct lease_book *book, struct ledger_account *account,
                       struct lease_loan *loan, int64_t used, int64_t now_us)
{
	struct leased *leased = account_leased(account);

	if (leased == NULL)
		return;
	lease_commit(&leased->lease, &account->bucket, &leased->terms, loan, used,
	             now_us);
	if (leased->lease.owed > 0 && !book->link.is_away)
		tell_about(book, leased);
}

void lease_book_refund(struct ledger_account *account, struct lease_loan *loan,
                       int64_t tokens)
{
	lease_refund(&account->more->leased->lease, &account->bucket, loan, tokens);
}

void lease_book_wait(struct ledger_account *account, int64_t cost)
{
	struct lease *lease = &account->more->leased->lease;

	if (lease->least == 0 || cost < lease->least)
		lease->least = cost;
	lease->waiting += cost;
}

void lease_book_unwait(struct ledger_account *account, int64_t cost)
{
	struct lease *lease = &account->more->leased->lease;

	lease->waiting -= cost;
	if (lease->waiting == 0)
		lease->least = 0;
}

/* ---- asking */

bool lease_book_next_question(struct lease_book *book, struct lease_item *out,
                              int64_t now_us)
{
	struct leased *leased = book->asking;

	if (leased == NULL)
		return false;
	book->asking = leased->next_asking;
	leased->is_asking = false;
	out->rule_id = leased->account->terms->rule_id;
	out->who = account_who(leased->account);
	lease_ask(&leased->lease, &leased->terms, &out->question, now_us);
	return true;
}

static struct leased *find(const struct lease_book *book, int64_t rule_id,
                           struct pw_str who)
{
	struct ledger_account *account = ledger_find(book->ledger, rule_id, who);

	return account != NULL ? account_leased(account) : NULL;
}

/* Another node, or this one before its start, has told somebody. */
static void learn_told(struct ledger_account *account, const struct lease_grant *grant,
                       int64_t now_us)
{
	struct ledger_more *more = ledger_more(account);

	if (more == NULL || more->told_until_us > now_us)
		return;
	more->told_until_us = now_us + grant->told_us;
	more->over_count = grant->over;
}

void lease_book_hear(struct lease_book *book, int64_t rule_id, struct pw_str who,
                     const struct lease_grant *grant, int64_t now_us)
{
	struct leased *leased = find(book, rule_id, who);

	if (leased == NULL)
		return;
	if (grant != NULL && grant->told_us > 0)
		learn_told(leased->account, grant, now_us);
	if (grant != NULL)
		lease_hear(&leased->lease, &leased->account->bucket, &leased->terms,
		           grant, now_us);
	else
		lease_unheard(&leased->lease, &leased->terms, now_us);
	if (leased->is_dry || leased->lease.owed > 0)
		tell_about(book, leased);
}

void lease_book_later(struct lease_book *book, int64_t rule_id, struct pw_str who,
                      int64_t now_us)
{
	struct leased *leased = find(book, rule_id, who);

	if (leased == NULL)
		return;
	lease_later(&leased->lease, &leased->terms, &book->link, now_us);
	if (leased->is_dry || leased->lease.owed > 0)
		tell_about(book, leased);
}

/* ---- telling */

static bool put_delta(const struct leased *leased, struct lease_item *out)
{
	out->rule_id = leased->account->terms->rule_id;
	out->who = account_who(leased->account);
	return true;
}

static bool give_back(struct leased *leased, struct lease_item *out, int64_t now_us)
{
	return lease_give_back(&leased->lease, &leased->account->bucket, &leased->terms,
	                       &out->delta, now_us) &&
	       put_delta(leased, out);
}

/* What it owes, then, in a turn of its own, what it is asked for. */
static bool tell(struct lease_book *book, struct leased *leased, struct lease_item *out,
                 int64_t now_us)
{
	if (leased->lease.owed > 0 && !book->link.is_away)
		return lease_settle(&leased->lease, &out->delta, now_us) &&
		       put_delta(leased, out);
	if (!leased->is_dry || leased->lease.asked_us != 0)
		return false;
	leased->is_dry = false;
	return give_back(leased, out, now_us);
}

static void forget(struct lease_book *book, struct leased *leased, int64_t now_us)
{
	leased->account->more->leased = NULL;
	ledger_less(leased->account, now_us);
	free(leased);
	book->count--;
}

/* There are so many that those that are not in use now go first. */
static bool is_crowded(const struct lease_book *book)
{
	return book->count > LEASES_MANY;
}

/* Look at the one whose turn it is. Returns whether there is something to tell. */
static bool look(struct lease_book *book, struct lease_item *out, int64_t now_us)
{
	struct leased *leased = queue_take(&book->active);
	int64_t idle_us = is_crowded(book) ? CROWDED_US : LEASE_IDLE_US;
	bool is_idle = now_us - leased->lease.used_us >= idle_us && !book->link.is_away;
	bool has_delta = is_idle && give_back(leased, out, now_us);

	if (!leased->is_asking && !leased->is_telling &&
	    now_us - leased->lease.used_us >= CROWDED_US &&
	    lease_is_over(&leased->lease, &leased->terms, now_us)) {
		forget(book, leased, now_us);
		return has_delta;
	}
	leased->look_us = now_us + LOOK_US;
	queue_put(&book->active, leased);
	return has_delta;
}

bool lease_book_next_delta(struct lease_book *book, struct lease_item *out,
                           int64_t now_us)
{
	struct leased *leased;

	while ((leased = book->telling) != NULL) {
		bool has_delta;

		book->telling = leased->next_telling;
		leased->is_telling = false;
		has_delta = tell(book, leased, out, now_us);
		if (has_delta && leased->is_dry)
			tell_about(book, leased);
		if (has_delta)
			return true;
	}
	while (book->active.first != NULL &&
	       book->active.first->look_us -
	                       (is_crowded(book) ? LOOK_US - CROWDED_US : 0) <=
	               now_us)
		if (look(book, out, now_us))
			return true;
	return false;
}

void lease_book_end(struct lease_book *book)
{
	for (struct leased *leased = book->active.first; leased != NULL;
	     leased = leased->next_active) {
		leased->is_dry = true;
		tell_about(book, leased);
	}
}

void lease_book_dry(struct lease_book *book, int64_t rule_id, struct pw_str who,
                    int64_t now_us)
{
	struct leased *leased = find(book, rule_id, who);

	if (leased == NULL || lease_left(&leased->lease, &leased->terms, now_us) == 0)
		return;
	leased->is_dry = true;
	tell_about(book, leased);
}

void lease_book_reset(struct lease_book *book, int64_t rule_id, struct pw_str who)
{
	for (struct leased *leased = book->active.first; leased != NULL;
	     leased = leased->next_active)
		if ((rule_id == 0 || leased->account->terms->rule_id == rule_id) &&
		    (who.len == 0 || pw_str_eq(account_who(leased->account), who)))
			lease_reset(&leased->lease);
}

size_t lease_book_count(const struct lease_book *book)
{
	return book->count;
}
