#include "policyd/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "core/map.h"

/* Key of an account: the eight bytes of the rule's id, then who. */
struct account {
	struct ledger_account public;
	size_t key_len;
	char key[];
};

struct ledger {
	struct pw_map *accounts;
	struct ledger_account *changed;
	size_t accounts_max;
	int64_t sweep_again_us;
};

/* A table full of busy accounts is not searched for idle ones more often than this. */
#define SWEEP_PAUSE_US 1000000

enum pw_status ledger_new(struct ledger **out, const uint8_t seed[16],
                          size_t accounts_max)
{
	PW_AUTO(ledger_free) struct ledger *ledger = calloc(1, sizeof(*ledger));
	enum pw_status r;

	if (ledger == NULL)
		return PW_ERR_NOMEM;
	ledger->accounts_max = accounts_max;
	if ((r = pw_map_new(&ledger->accounts, seed, accounts_max)) != PW_OK)
		return r;
	*out = PW_TAKE(ledger);
	return PW_OK;
}

void ledger_free(struct ledger **ledger)
{
	struct pw_str key;
	void *account;
	size_t pos = 0;

	if (*ledger == NULL)
		return;
	if ((*ledger)->accounts != NULL)
		while (pw_map_next((*ledger)->accounts, &pos, &key, &account))
			free(account);
	pw_map_free(&(*ledger)->accounts);
	free(*ledger);
	*ledger = NULL;
}

struct key {
	char at[sizeof(int64_t) + LEDGER_WHO_MAX];
	size_t len;
};

static void key_make(struct key *key, int64_t rule_id, struct pw_str who)
{
	memcpy(key->at, &rule_id, sizeof(rule_id));
	if (who.len > 0)
		memcpy(key->at + sizeof(rule_id), who.at, who.len);
	key->len = sizeof(rule_id) + who.len;
}

/* Full, and nobody points to it: the same as an account never seen. */
static bool is_idle(const struct ledger_account *account, int64_t now_us)
{
	return account->bucket.reserved == 0 && account->bucket.full_at_us <= now_us &&
	       account->told_until_us <= now_us && !account->is_changed;
}

/* Forget all idle accounts. Linear, so it runs only when the table is full; it then frees
 * what a period of traffic has left behind. */
static void forget_idle(struct ledger *ledger, int64_t now_us)
{
	struct pw_str key;
	void *account;
	size_t pos = 0;

	if (now_us < ledger->sweep_again_us)
		return;
	ledger->sweep_again_us = now_us + SWEEP_PAUSE_US;
	while (pw_map_next(ledger->accounts, &pos, &key, &account)) {
		if (!is_idle(account, now_us))
			continue;
		/* taking one out may move another to this place: look at it again */
		pw_map_take(ledger->accounts, key);
		free(account);
		pos--;
	}
}

static enum pw_status insert(struct ledger *ledger, struct ledger_account **out,
                             int64_t rule_id, const struct key *key, int64_t now_us)
{
	struct account *account;
	enum pw_status r;

	if (pw_map_count(ledger->accounts) >= ledger->accounts_max)
		forget_idle(ledger, now_us);
	if ((account = calloc(1, sizeof(*account) + key->len)) == NULL)
		return PW_ERR_NOMEM;
	memcpy(account->key, key->at, key->len);
	account->key_len = key->len;
	account->public.rule_id = rule_id;
	account->public.who = (struct pw_str){ account->key + sizeof(rule_id),
		                               key->len - sizeof(rule_id) };
	r = pw_map_put(ledger->accounts, (struct pw_str){ account->key, key->len },
	               account);
	if (r != PW_OK) {
		free(account);
		return r;
	}
	*out = &account->public;
	return PW_OK;
}

static enum pw_status find_or_insert(struct ledger *ledger, struct ledger_account **out,
                                     int64_t rule_id, struct pw_str who, int64_t now_us)
{
	struct account *known;
	struct key key;

	if (who.len > LEDGER_WHO_MAX)
		return PW_ERR_LIMIT;
	key_make(&key, rule_id, who);
	known = pw_map_get(ledger->accounts, (struct pw_str){ key.at, key.len });
	if (known == NULL)
		return insert(ledger, out, rule_id, &key, now_us);
	*out = &known->public;
	return PW_OK;
}

static bool same_rate(const struct pw_rate *a, const struct pw_rate *b)
{
	return a->limit == b->limit && a->period_us == b->period_us &&
	       a->burst == b->burst;
}

enum pw_status ledger_open(struct ledger *ledger, struct ledger_account **out,
                           const struct catalog_rule *rule, struct pw_str who,
                           int64_t now_us)
{
	struct ledger_account *account;
	enum pw_status r;

	if ((r = find_or_insert(ledger, &account, rule->id, who, now_us)) != PW_OK)
		return r;
	/* a restored bucket has no rate yet: it was counted with this one, as far as we
	 * know */
	if (account->rate.limit != 0 && !same_rate(&account->rate, &rule->rate))
		pw_rate_change(&account->bucket, &account->rate, &rule->rate, now_us);
	account->rate = rule->rate;
	*out = account;
	return PW_OK;
}

void ledger_touch(struct ledger *ledger, struct ledger_account *account)
{
	if (account->is_changed)
		return;
	account->is_changed = true;
	account->next_changed = ledger->changed;
	ledger->changed = account;
}

struct ledger_account *ledger_next_changed(struct ledger *ledger)
{
	struct ledger_account *account = ledger->changed;

	if (account != NULL) {
		ledger->changed = account->next_changed;
		account->is_changed = false;
	}
	return account;
}

enum pw_status ledger_restore(struct ledger *ledger, int64_t rule_id, struct pw_str who,
                              int64_t full_at_us, int64_t now_us)
{
	struct ledger_account *account;
	enum pw_status r;

	if (full_at_us <= now_us)
		return PW_OK;
	if ((r = find_or_insert(ledger, &account, rule_id, who, now_us)) != PW_OK)
		return r;
	if (account->bucket.full_at_us < now_us)
		account->bucket =
			(struct pw_bucket){ now_us, 0, account->bucket.reserved };
	account->bucket.full_at_us += full_at_us - now_us;
	return PW_OK;
}

size_t ledger_count(const struct ledger *ledger)
{
	return pw_map_count(ledger->accounts);
}
