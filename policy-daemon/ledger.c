#include "policyd/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "core/map.h"
#include "policyd/cells.h"

/* Open addressing with linear probing, removal shifts the run back (as core/map.c), but a
 * slot is one pointer. */
struct ledger {
	struct ledger_account **slots;
	size_t mask; /* slots - 1; 0 = nothing allocated yet */
	size_t count, accounts_max;
	struct cells cells;
	struct ledger_terms *terms; /* of all rules met */
	struct ledger_account **changed;
	size_t changed_count, changed_room;
	int64_t sweep_again_us;
	uint8_t seed[16];
};

/* A table full of busy accounts is not searched for idle ones more often than this. */
#define SWEEP_PAUSE_US 1000000

enum pw_status ledger_new(struct ledger **out, const uint8_t seed[16],
                          size_t accounts_max)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger == NULL)
		return PW_ERR_NOMEM;
	ledger->accounts_max = accounts_max;
	memcpy(ledger->seed, seed, sizeof(ledger->seed));
	*out = ledger;
	return PW_OK;
}

static void free_more(struct ledger_account *account)
{
	if (account->more != NULL)
		free(account->more->window);
	free(account->more);
	account->more = NULL;
}

void ledger_free(struct ledger **ledger)
{
	struct ledger *l = *ledger;
	struct ledger_terms *next;

	if (l == NULL)
		return;
	for (size_t i = 0; l->slots != NULL && i <= l->mask; i++)
		if (l->slots[i] != NULL)
			free_more(l->slots[i]);
	for (struct ledger_terms *terms = l->terms; terms != NULL; terms = next) {
		next = terms->next;
		free(terms);
	}
	cells_done(&l->cells);
	free(l->changed);
	free(l->slots);
	free(l);
	*ledger = NULL;
}

/* ---- the table */

static uint64_t hash_of(const struct ledger *ledger, int64_t rule_id, struct pw_str who)
{
	char key[sizeof(rule_id) + LEDGER_WHO_MAX];

	memcpy(key, &rule_id, sizeof(rule_id));
	if (who.len > 0)
		memcpy(key + sizeof(rule_id), who.at, who.len);
	return pw_siphash(ledger->seed,
	                  (struct pw_str){ key, sizeof(rule_id) + who.len });
}

static size_t home_of(const struct ledger *ledger, const struct ledger_account *account)
{
	return hash_of(ledger, account->terms->rule_id, account_who(account)) &
	       ledger->mask;
}

/* The slot of that account, or the empty one where it would go. */
static struct ledger_account **probe(const struct ledger *ledger, int64_t rule_id,
                                     struct pw_str who)
{
	size_t i = hash_of(ledger, rule_id, who) & ledger->mask;

	while (ledger->slots[i] != NULL &&
	       !(ledger->slots[i]->terms->rule_id == rule_id &&
	         pw_str_eq(account_who(ledger->slots[i]), who)))
		i = (i + 1) & ledger->mask;
	return &ledger->slots[i];
}

static enum pw_status grow(struct ledger *ledger)
{
	size_t old_count = ledger->slots != NULL ? ledger->mask + 1 : 0;
	size_t new_count = old_count != 0 ? old_count * 2 : 16;
	struct ledger_account **old = ledger->slots;
	struct ledger_account **slots =
		calloc(new_count, sizeof(struct ledger_account *));

	if (slots == NULL)
		return PW_ERR_NOMEM;
	ledger->slots = slots;
	ledger->mask = new_count - 1;
	for (size_t i = 0; i < old_count; i++)
		if (old[i] != NULL)
			*probe(ledger, old[i]->terms->rule_id, account_who(old[i])) =
				old[i];
	free(old);
	return PW_OK;
}

static size_t account_size(size_t who_len)
{
	return offsetof(struct ledger_account, who) + who_len;
}

static void drop_terms(struct ledger *ledger, struct ledger_terms *terms)
{
	struct ledger_terms **link = &ledger->terms;

	if (--terms->accounts > 0)
		return;
	while (*link != terms)
		link = &(*link)->next;
	*link = terms->next;
	free(terms);
}

/* Take out what is in slot; the run behind it moves up. */
static void forget(struct ledger *ledger, size_t hole)
{
	struct ledger_account *account = ledger->slots[hole];

	for (size_t i = (hole + 1) & ledger->mask; ledger->slots[i] != NULL;
	     i = (i + 1) & ledger->mask) {
		size_t home = home_of(ledger, ledger->slots[i]);

		/* may it move back into the hole: is its home not after the hole? */
		if (((i - home) & ledger->mask) >= ((i - hole) & ledger->mask)) {
			ledger->slots[hole] = ledger->slots[i];
			hole = i;
		}
	}
	ledger->slots[hole] = NULL;
	ledger->count--;
	free_more(account);
	drop_terms(ledger, account->terms);
	cells_give(&ledger->cells, account, account_size(account->who_len));
}

/* Forget all idle accounts. Linear, so it runs only when the table is full; it then frees
 * what a period of traffic has left behind. */
static void forget_idle(struct ledger *ledger, int64_t now_us)
{
	if (now_us < ledger->sweep_again_us)
		return;
	ledger->sweep_again_us = now_us + SWEEP_PAUSE_US;
	for (size_t i = 0; ledger->slots != NULL && i <= ledger->mask;)
		if (ledger->slots[i] != NULL && account_is_idle(ledger->slots[i], now_us))
			forget(ledger, i); /* another may have moved here: look again */
		else
			i++;
}

/* ---- terms */

static bool same_terms(const struct ledger_terms *terms, const struct catalog_rule *rule)
{
	return terms->rule_id == rule->id && terms->kind == rule->kind &&
	       terms->rate.limit == rule->rate.limit &&
	       terms->rate.period_us == rule->rate.period_us &&
	       terms->rate.burst == rule->rate.burst;
}

static struct ledger_terms *terms_of(struct ledger *ledger,
                                     const struct catalog_rule *rule)
{
	struct ledger_terms **link = &ledger->terms, *terms;

	while (*link != NULL && !same_terms(*link, rule))
		link = &(*link)->next;
	if ((terms = *link) != NULL) {
		*link = terms->next; /* to the front: those of many accounts stay there */
	} else {
		if ((terms = malloc(sizeof(*terms))) == NULL)
			return NULL;
		*terms = (struct ledger_terms){
			.rule_id = rule->id,
			.rate = rule->rate,
			.kind = rule->kind,
		};
	}
	terms->next = ledger->terms;
	ledger->terms = terms;
	return terms;
}

/* ---- accounts */

struct ledger_more *ledger_more(struct ledger_account *account)
{
	if (account->more == NULL)
		account->more = calloc(1, sizeof(*account->more));
	return account->more;
}

void ledger_less(struct ledger_account *account, int64_t now_us)
{
	const struct ledger_more *more = account->more;

	if (more != NULL && more->leased == NULL && more->window == NULL &&
	    more->told_until_us <= now_us && !account->is_changed)
		free_more(account);
}

static bool has_parts(struct ledger_account *account, enum rule_kind kind)
{
	if (kind != RULE_WINDOW)
		return true;
	if (ledger_more(account) == NULL)
		return false;
	if (account->more->window == NULL)
		account->more->window = calloc(1, sizeof(*account->more->window));
	return account->more->window != NULL;
}

static enum pw_status insert(struct ledger *ledger, struct ledger_account **out,
                             struct ledger_terms *terms, struct pw_str who,
                             int64_t now_us)
{
	struct ledger_account *account;
	enum pw_status r;

	if (ledger->count >= ledger->accounts_max)
		forget_idle(ledger, now_us);
	if (ledger->count >= ledger->accounts_max)
		return PW_ERR_LIMIT;
	if (ledger->slots == NULL || (ledger->count + 1) * 4 > (ledger->mask + 1) * 3)
		if ((r = grow(ledger)) != PW_OK)
			return r;
	if ((account = cells_alloc(&ledger->cells, account_size(who.len))) == NULL)
		return PW_ERR_NOMEM;
	account->terms = terms;
	account->who_len = (uint32_t)who.len & 0x7ff;
	memcpy(account->who, who.len > 0 ? who.at : "", who.len);
	if (!has_parts(account, terms->kind)) {
		free_more(account);
		cells_give(&ledger->cells, account, account_size(who.len));
		return PW_ERR_NOMEM;
	}
	*probe(ledger, terms->rule_id, who) = account;
	ledger->count++;
	*out = account;
	return PW_OK;
}

/* The rule changed since the account was last opened. */
static enum pw_status rebase(struct ledger *ledger, struct ledger_account *account,
                             struct ledger_terms *terms, int64_t now_us)
{
	struct ledger_terms *before = account->terms;

	terms->accounts++;
	if (!has_parts(account, terms->kind)) {
		drop_terms(ledger, terms);
		return PW_ERR_NOMEM;
	}
	account_change(account, terms, now_us);
	drop_terms(ledger, before);
	return PW_OK;
}

static enum pw_status find_or_insert(struct ledger *ledger, struct ledger_account **out,
                                     const struct catalog_rule *rule, struct pw_str who,
                                     int64_t now_us)
{
	struct ledger_account *known;
	struct ledger_terms *terms;
	enum pw_status r;

	if (who.len > LEDGER_WHO_MAX)
		return PW_ERR_LIMIT;
	known = ledger->count > 0 ? *probe(ledger, rule->id, who) : NULL;
	*out = known;
	if (known != NULL)
		return PW_OK;
	if ((terms = terms_of(ledger, rule)) == NULL)
		return PW_ERR_NOMEM;
	terms->accounts++;
	if ((r = insert(ledger, out, terms, who, now_us)) != PW_OK)
		drop_terms(ledger, terms);
	return r;
}

struct ledger_account *ledger_find(const struct ledger *ledger, int64_t rule_id,
                                   struct pw_str who)
{
	return ledger->count > 0 && who.len <= LEDGER_WHO_MAX
	               ? *probe(ledger, rule_id, who)
	               : NULL;
}

enum pw_status ledger_open(struct ledger *ledger, struct ledger_account **out,
                           const struct catalog_rule *rule, struct pw_str who,
                           int64_t now_us)
{
	struct ledger_account *account = NULL;
	struct ledger_terms *terms;
	enum pw_status r;

	if ((r = find_or_insert(ledger, &account, rule, who, now_us)) != PW_OK)
		return r;
	if (!same_terms(account->terms, rule)) {
		if ((terms = terms_of(ledger, rule)) == NULL)
			return PW_ERR_NOMEM;
		if ((r = rebase(ledger, account, terms, now_us)) != PW_OK)
			return r;
	}
	*out = account;
	return PW_OK;
}

/* ---- storing */

void ledger_touch(struct ledger *ledger, struct ledger_account *account)
{
	size_t room = ledger->changed_room != 0 ? ledger->changed_room * 2 : 64;
	struct ledger_account **more;

	if (account->is_changed)
		return;
	if (ledger->changed_count == ledger->changed_room) {
		more = reallocarray(ledger->changed, room, sizeof(*more));
		if (more == NULL)
			return; /* stored the next time it moves */
		ledger->changed = more;
		ledger->changed_room = room;
	}
	ledger->changed[ledger->changed_count++] = account;
	account->is_changed = 1;
}

struct ledger_account *ledger_next_changed(struct ledger *ledger)
{
	struct ledger_account *account = NULL;

	if (ledger->changed_count > 0) {
		account = ledger->changed[--ledger->changed_count];
		account->is_changed = 0;
	}
	return account;
}

size_t ledger_reset(struct ledger *ledger, int64_t rule_id, struct pw_str who)
{
	size_t count = 0;

	for (size_t i = 0; ledger->slots != NULL && i <= ledger->mask; i++) {
		struct ledger_account *account = ledger->slots[i];

		if (account == NULL ||
		    (rule_id != 0 && account->terms->rule_id != rule_id) ||
		    (who.len > 0 && !pw_str_eq(account_who(account), who)))
			continue;
		account_clear(account);
		if (account->more != NULL)
			account->more->told_until_us = account->more->over_count = 0;
		ledger_touch(ledger, account);
		count++;
	}
	return count;
}

size_t ledger_count(const struct ledger *ledger)
{
	return ledger->count;
}
