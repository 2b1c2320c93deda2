#include "policyd/guard.h"

#include <stdlib.h>
#include <string.h>

#include "policyd/lru.h"
#include "policyd/repeats.h"

#define SLOTS 16
/* Windows looked at in one sweep. */
#define SWEEP_MAX 1000
/* No rule looks further back. */
#define REPEAT_PERIOD_MAX_MS ((int64_t)86400 * 1000)

/* An end told by another node is the same as ours if it is no further from it. */
#define SAME_END_MS 2000

/* A network as bytes: family, then the address with its host bits cleared. */
#define NETWORK_KEY_LEN (1 + sizeof(((struct pw_ip *)0)->bytes))

/* Failures in slots of a sixteenth of the period, the newest and the 16 before it. */
struct window {
	struct lru_entry entry;
	int64_t width_ms; /* of a slot; 0 = new */
	int64_t newest;   /* slots since 0 */
	uint32_t counts[SLOTS + 1];
};

struct block {
	struct lru_entry entry;
	int64_t until_ms, block_ms, failures;
	bool is_dry_run;
};

/* Where a login succeeded. */
struct home {
	struct lru_entry entry;
	int64_t at_ms;
};

struct guard {
	struct lru *windows[AUTH_RULES]; /* by network or login */
	struct lru *blocks;              /* by kind, then network or login */
	struct lru *homes;               /* by network, then login */
	struct repeats *repeats;         /* by the same */
	struct lru *news;                /* by kind, then network or login */
	int64_t next_end_ms;             /* no block ends before */
	char login[GUARD_LOGIN_MAX];     /* of what was told last */
};

/* What other nodes are to know. */
struct news {
	struct lru_entry entry;
	int64_t count, until_ms, block_ms, failures; /* block_ms 0 = no block */
	bool is_dry_run;
};

struct key {
	char at[1 + NETWORK_KEY_LEN + GUARD_LOGIN_MAX];
	size_t len;
};

enum pw_status guard_new(struct guard **out, const uint8_t seed[16])
{
	PW_AUTO(guard_free) struct guard *guard = calloc(1, sizeof(*guard));
	enum pw_status r;

	if (guard == NULL)
		return PW_ERR_NOMEM;
	for (enum auth_kind kind = 0; kind < AUTH_RULES; kind++)
		if ((r = lru_new(&guard->windows[kind], seed, GUARD_WINDOWS_MAX,
		                 sizeof(struct window))) != PW_OK)
			return r;
	if ((r = lru_new(&guard->blocks, seed, GUARD_BLOCKS_MAX, sizeof(struct block))) !=
	            PW_OK ||
	    (r = lru_new(&guard->homes, seed, GUARD_HOMES_MAX, sizeof(struct home))) !=
	            PW_OK ||
	    (r = repeats_new(&guard->repeats, seed)) != PW_OK ||
	    (r = lru_new(&guard->news, seed, GUARD_NEWS_MAX, sizeof(struct news))) !=
	            PW_OK)
		return r;
	*out = PW_TAKE(guard);
	return PW_OK;
}

void guard_free(struct guard **guard)
{
	if (*guard == NULL)
		return;
	for (enum auth_kind kind = 0; kind < AUTH_RULES; kind++)
		lru_free(&(*guard)->windows[kind]);
	lru_free(&(*guard)->blocks);
	lru_free(&(*guard)->homes);
	repeats_free(&(*guard)->repeats);
	lru_free(&(*guard)->news);
	free(*guard);
	*guard = NULL;
}

/* ---- keys */

static struct pw_net network_of(struct pw_ip ip)
{
	if (ip.family == PW_IP_V4)
		return (struct pw_net){ ip, 32 };
	memset(ip.bytes + 8, 0, 8);
	return (struct pw_net){ ip, 64 };
}

/* Does the address tell one client from others? Through a webmail on this host come the
 * owner of a mailbox and whoever guesses. */
static bool is_network(struct pw_ip ip)
{
	return ip.family != PW_IP_NONE && !pw_ip_is_loopback(ip);
}

static bool is_of_login(enum auth_kind kind)
{
	return kind == AUTH_LOGIN || kind == AUTH_LOGIN_BY_HAND;
}

static void key_put(struct key *key, struct pw_str bytes)
{
	memcpy(key->at + key->len, bytes.at, bytes.len);
	key->len += bytes.len;
}

static void key_put_network(struct key *key, struct pw_ip ip)
{
	struct pw_net net = network_of(ip);

	key->at[key->len++] = (char)net.ip.family;
	key_put(key, (struct pw_str){ (const char *)net.ip.bytes, sizeof(net.ip.bytes) });
}

static struct pw_str key_str(const struct key *key)
{
	return (struct pw_str){ key->at, key->len };
}

/* What a kind counts by, its kind before it; false = nothing. */
static bool subject_of(struct key *out, enum auth_kind kind,
                       const struct guard_attempt *attempt)
{
	*out = (struct key){ .len = 0 };
	out->at[out->len++] = (char)kind;
	if (is_of_login(kind)) {
		if (attempt->login.len == 0 || attempt->login.len > GUARD_LOGIN_MAX)
			return false;
		key_put(out, attempt->login);
		return true;
	}
	if (!is_network(attempt->remote))
		return false;
	key_put_network(out, attempt->remote);
	return true;
}

/* ---- homes */

static bool home_key(struct key *out, const struct guard_attempt *attempt)
{
	*out = (struct key){ .len = 0 };
	if (!is_network(attempt->remote) || attempt->login.len == 0 ||
	    attempt->login.len > GUARD_LOGIN_MAX)
		return false;
	key_put_network(out, attempt->remote);
	key_put(out, attempt->login);
	return true;
}

static bool is_home(const struct guard *guard, const struct guard_attempt *attempt,
                    int64_t now_ms)
{
	const struct home *home;
	struct key key;

	if (!home_key(&key, attempt))
		return false;
	home = lru_find(guard->homes, key_str(&key));
	return home != NULL && home->at_ms + GUARD_HOME_MS > now_ms;
}

void guard_succeeded(struct guard *guard, const struct guard_attempt *attempt,
                     int64_t at_ms)
{
	struct home *home;
	struct key key;

	if (home_key(&key, attempt) &&
	    (home = lru_use(guard->homes, key_str(&key))) != NULL &&
	    (home->at_ms == 0 || home->at_ms < at_ms))
		home->at_ms = at_ms;
}

/* ---- blocks */

/* The rule that applies to this attempt, and its subject; NULL = none does. */
static const struct catalog_auth_rule *
rule_for(const struct guard *guard, struct key *subject, const struct catalog *catalog,
         enum auth_kind kind, const struct guard_attempt *attempt, int64_t now_ms)
{
	if (catalog == NULL || !subject_of(subject, kind, attempt))
		return NULL;
	if (kind != AUTH_NETWORK && is_home(guard, attempt, now_ms))
		return NULL;
	return catalog_auth_rule(catalog, kind);
}

/* Milliseconds for which a block made under a rule like this one still holds. */
static int64_t block_left_ms(const struct guard *guard, struct pw_str subject,
                             const struct catalog_auth_rule *rule, int64_t now_ms)
{
	const struct block *block = lru_find(guard->blocks, subject);

	if (block == NULL || block->is_dry_run != rule->is_dry_run ||
	    block->until_ms <= now_ms)
		return 0;
	return block->until_ms - now_ms;
}

/* Milliseconds for which a block of that kind refuses the attempt. */
static int64_t refused_ms(const struct guard *guard, const struct catalog *catalog,
                          enum auth_kind kind, const struct guard_attempt *attempt,
                          int64_t now_ms)
{
	static const struct catalog_auth_rule by_hand = { .failures = 1 };
	const struct catalog_auth_rule *rule = &by_hand;
	struct key subject;

	if (kind < AUTH_RULES)
		rule = rule_for(guard, &subject, catalog, kind, attempt, now_ms);
	else if (!subject_of(&subject, kind, attempt))
		return 0;
	if (rule == NULL || rule->is_dry_run)
		return 0;
	return block_left_ms(guard, key_str(&subject), rule, now_ms);
}

int64_t guard_ask(const struct guard *guard, const struct catalog *catalog,
                  const struct guard_attempt *attempt, int64_t now_ms)
{
	int64_t longest_ms = 0;
	bool is_exempt;

	if (catalog == NULL)
		return 0;
	is_exempt = catalog_is_exempt(catalog, attempt->remote);
	for (enum auth_kind kind = 0; kind < AUTH_KINDS; kind++) {
		int64_t left_ms;

		if (is_exempt && kind != AUTH_LOGIN_BY_HAND)
			continue;
		left_ms = refused_ms(guard, catalog, kind, attempt, now_ms);
		if (left_ms > longest_ms)
			longest_ms = left_ms;
	}
	return longest_ms;
}

static struct pw_net network_from(struct pw_str subject)
{
	struct pw_ip ip = { .family = (uint8_t)subject.at[1] };

	memcpy(ip.bytes, subject.at + 2, sizeof(ip.bytes));
	return network_of(ip);
}

/* Is a network refused by its block of that kind? */
static bool is_refused(const struct guard *guard, const struct catalog *catalog,
                       struct pw_str subject, enum auth_kind kind, int64_t now_ms)
{
	static const struct guard_attempt nobody = { .login = { NULL, 0 } };
	struct guard_attempt attempt = nobody;

	attempt.remote = network_from(subject).ip;
	return refused_ms(guard, catalog, kind, &attempt, now_ms) > 0;
}

/* Is this the block by which its network is listed? There may be others of it. */
static bool is_listed(const struct guard *guard, const struct catalog *catalog,
                      struct pw_str subject, int64_t now_ms)
{
	enum auth_kind kind = (enum auth_kind)subject.at[0];

	if (is_of_login(kind) || !is_refused(guard, catalog, subject, kind, now_ms))
		return false;
	while (kind > 0)
		if (!is_of_login(--kind) &&
		    is_refused(guard, catalog, subject, kind, now_ms))
			return false;
	return true;
}

bool guard_next_refused(const struct guard *guard, const struct catalog *catalog,
                        const void **pos, struct pw_ban *out, int64_t now_ms)
{
	const struct lru_entry *entry = *pos;

	if (catalog == NULL)
		return false;
	for (entry = entry != NULL ? entry->newer : lru_oldest(guard->blocks);
	     entry != NULL; entry = entry->newer) {
		const struct block *block = (const struct block *)entry;

		if (!is_listed(guard, catalog, entry->key, now_ms))
			continue;
		out->net = network_from(entry->key);
		if (catalog_has_exempt(catalog, &out->net))
			continue;
		out->seconds = (block->until_ms - now_ms + 999) / 1000;
		*pos = entry;
		return true;
	}
	return false;
}

static bool put_block(struct guard *guard, struct pw_str subject, int64_t until_ms,
                      const struct guard_block *what)
{
	struct block *block = lru_use(guard->blocks, subject);

	if (block == NULL)
		return false;
	block->until_ms = until_ms;
	if (until_ms < guard->next_end_ms)
		guard->next_end_ms = until_ms;
	block->block_ms = what->block_ms;
	block->failures = what->failures;
	block->is_dry_run = what->is_dry_run;
	return true;
}

static bool begin_block(struct guard *guard, struct pw_str subject,
                        const struct catalog_auth_rule *rule, int64_t failures,
                        int64_t now_ms)
{
	const struct guard_block what = { .failures = failures,
		                          .block_ms = rule->block_ms,
		                          .is_dry_run = rule->is_dry_run };
	struct news *news = lru_use(guard->news, subject);

	if (news != NULL) {
		news->until_ms = now_ms + rule->block_ms;
		news->block_ms = rule->block_ms;
		news->failures = failures;
		news->is_dry_run = rule->is_dry_run;
	}
	return put_block(guard, subject, now_ms + rule->block_ms, &what);
}

/* Kind and network or login of a key; the login lives in the guard. */
static void read_subject(struct guard *guard, struct guard_block *out,
                         struct pw_str subject)
{
	out->kind = (enum auth_kind)subject.at[0];
	if (!is_of_login(out->kind)) {
		out->network = network_from(subject);
		return;
	}
	subject = pw_str_sub(subject, 1, subject.len);
	memcpy(guard->login, subject.at, subject.len);
	out->login = (struct pw_str){ guard->login, subject.len };
}

static bool take_ended(struct guard *guard, struct guard_block *out, struct block *block)
{
	*out = (struct guard_block){ .failures = block->failures,
		                     .block_ms = block->block_ms,
		                     .is_dry_run = block->is_dry_run };
	read_subject(guard, out, block->entry.key);
	lru_drop(guard->blocks, block);
	return true;
}

bool guard_next_ended(struct guard *guard, struct guard_block *out, int64_t now_ms)
{
	struct lru_entry *entry = lru_oldest(guard->blocks);
	int64_t next_ms = INT64_MAX;

	if (now_ms < guard->next_end_ms)
		return false;
	for (; entry != NULL; entry = entry->newer) {
		struct block *block = (struct block *)entry;

		if (block->until_ms <= now_ms)
			return take_ended(guard, out, block);
		if (block->until_ms < next_ms)
			next_ms = block->until_ms;
	}
	guard->next_end_ms = next_ms;
	return false;
}

/* ---- windows */

/* Move on to the slot of now and forget those that are too old. */
static void window_turn(struct window *window, int64_t width_ms, int64_t now_ms)
{
	int64_t slot = now_ms / width_ms;

	if (window->width_ms != width_ms || slot > window->newest + SLOTS) {
		memset(window->counts, 0, sizeof(window->counts));
		window->newest = slot;
		window->width_ms = width_ms;
	}
	while (window->newest < slot)
		window->counts[++window->newest % (SLOTS + 1)] = 0;
}

/* Failures in the window with so many more. */
static int64_t window_add(struct window *window, const struct catalog_auth_rule *rule,
                          int64_t count, int64_t now_ms)
{
	int64_t sum = 0;

	window_turn(window, (rule->period_ms + SLOTS - 1) / SLOTS, now_ms);
	window->counts[window->newest % (SLOTS + 1)] += (uint32_t)count;
	for (size_t i = 0; i <= SLOTS; i++)
		sum += window->counts[i];
	return sum;
}

static bool window_is_over(const struct window *window, int64_t now_ms)
{
	return now_ms / window->width_ms > window->newest + SLOTS;
}

/* Count failures of a kind. True: a block of *failures_out failures begins. */
static bool count_failures(struct guard *guard, struct pw_str subject,
                           const struct catalog_auth_rule *rule, int64_t count,
                           int64_t *failures_out, int64_t now_ms)
{
	struct lru *windows = guard->windows[(size_t)subject.at[0]];
	struct window *window;

	if (block_left_ms(guard, subject, rule, now_ms) > 0)
		return false;
	if ((window = lru_use(windows, pw_str_sub(subject, 1, subject.len))) == NULL)
		return false;
	*failures_out = window_add(window, rule, count, now_ms);
	if (*failures_out < rule->failures)
		return false;
	lru_drop(windows, window);
	return begin_block(guard, subject, rule, *failures_out, now_ms);
}

/* Is it the same that failed before? */
static struct repeats_age note_repeat(struct guard *guard,
                                      const struct guard_attempt *attempt, int64_t now_ms)
{
	struct key pair = { .len = 0 };

	key_put_network(&pair, attempt->remote);
	key_put(&pair, pw_str_sub(attempt->login, 0, GUARD_LOGIN_MAX));
	return repeats_note(guard->repeats, key_str(&pair), attempt->password, now_ms);
}

static bool is_counted(enum auth_kind kind, const struct catalog_auth_rule *rule,
                       bool is_login, const struct repeats_age *age)
{
	if (kind == AUTH_SPRAY)
		return age->pair_ms >= rule->period_ms;
	if (kind == AUTH_LOGIN && !is_login)
		return false;
	return !rule->is_distinct || age->password_ms >= rule->period_ms;
}

/* For other nodes. */
static void note_count(struct guard *guard, struct pw_str subject,
                       const struct catalog_auth_rule *rule, int64_t now_ms)
{
	struct news *news;

	if (block_left_ms(guard, subject, rule, now_ms) > 0)
		return;
	if ((news = lru_use(guard->news, subject)) != NULL)
		news->count++;
}

static struct guard_block begun_block(enum auth_kind kind,
                                      const struct catalog_auth_rule *rule,
                                      const struct guard_attempt *attempt,
                                      int64_t failures)
{
	struct guard_block block = { .kind = kind,
		                     .failures = failures,
		                     .block_ms = rule->block_ms,
		                     .is_dry_run = rule->is_dry_run };

	if (is_of_login(kind))
		block.login = attempt->login;
	else
		block.network = network_of(attempt->remote);
	return block;
}

void guard_failed(struct guard *guard, struct guard_blocks *out,
                  const struct catalog *catalog, const struct guard_attempt *attempt,
                  bool is_login, int64_t now_ms)
{
	struct repeats_age age;

	out->count = 0;
	if (catalog == NULL || catalog_is_exempt(catalog, attempt->remote))
		return;
	age = note_repeat(guard, attempt, now_ms);
	for (enum auth_kind kind = 0; kind < AUTH_RULES; kind++) {
		struct key subject;
		const struct catalog_auth_rule *rule =
			rule_for(guard, &subject, catalog, kind, attempt, now_ms);
		int64_t failures;

		if (rule == NULL || !is_counted(kind, rule, is_login, &age))
			continue;
		note_count(guard, key_str(&subject), rule, now_ms);
		if (!count_failures(guard, key_str(&subject), rule, 1, &failures, now_ms))
			continue;
		out->blocks[out->count++] = begun_block(kind, rule, attempt, failures);
	}
}

/* ---- other nodes */

/* False: it names nobody. */
static bool subject_of_block(struct key *out, const struct guard_block *block)
{
	const struct guard_attempt attempt = { block->login, block->network.ip, 0 };

	return subject_of(out, block->kind, &attempt);
}

bool guard_next_news(struct guard *guard, struct guard_news *out, int64_t now_ms)
{
	struct news *news = lru_oldest(guard->news);

	if (news == NULL)
		return false;
	*out = (struct guard_news){ .block = { .failures = news->failures,
		                               .block_ms = news->block_ms,
		                               .is_dry_run = news->is_dry_run },
		                    .count = news->count,
		                    .left_ms = news->until_ms - now_ms,
		                    .has_block = news->block_ms > 0 };
	read_subject(guard, &out->block, news->entry.key);
	lru_drop(guard->news, news);
	return true;
}

bool guard_counted(struct guard *guard, struct guard_block *block,
                   const struct catalog *catalog, int64_t now_ms)
{
	const struct catalog_auth_rule *rule;
	struct key subject;

	if (catalog == NULL || block->kind >= AUTH_RULES || block->failures <= 0 ||
	    (rule = catalog_auth_rule(catalog, block->kind)) == NULL ||
	    !subject_of_block(&subject, block) ||
	    !count_failures(guard, key_str(&subject), rule,
	                    block->failures < rule->failures ? block->failures
	                                                     : rule->failures,
	                    &block->failures, now_ms))
		return false;
	block->network = network_of(block->network.ip);
	block->block_ms = rule->block_ms;
	block->is_dry_run = rule->is_dry_run;
	return true;
}

bool guard_take_block(struct guard *guard, const struct guard_block *block,
                      int64_t now_ms)
{
	const struct block *known;
	struct window *window;
	struct key subject;
	int64_t apart_ms;

	if (block->block_ms <= 0 || !subject_of_block(&subject, block))
		return false;
	known = lru_find(guard->blocks, key_str(&subject));
	apart_ms = known != NULL ? now_ms + block->block_ms - known->until_ms : 0;
	if (known != NULL && known->is_dry_run == block->is_dry_run &&
	    apart_ms < SAME_END_MS && apart_ms > -SAME_END_MS)
		return false;
	if (block->kind < AUTH_RULES &&
	    (window = lru_find(guard->windows[block->kind],
	                       pw_str_sub(key_str(&subject), 1, subject.len))) != NULL)
		lru_drop(guard->windows[block->kind], window);
	return put_block(guard, key_str(&subject), now_ms + block->block_ms, block);
}

bool guard_lift(struct guard *guard, const struct guard_block *block)
{
	struct block *known = NULL;
	struct key subject;

	if (subject_of_block(&subject, block))
		known = lru_find(guard->blocks, key_str(&subject));
	if (known == NULL)
		return false;
	lru_drop(guard->blocks, known);
	return true;
}

void guard_forget_blocks(struct guard *guard)
{
	struct lru_entry *entry = lru_oldest(guard->blocks), *newer;

	for (; entry != NULL; entry = newer) {
		const struct news *news = lru_find(guard->news, entry->key);

		newer = entry->newer;
		if (news == NULL || news->block_ms == 0)
			lru_drop(guard->blocks, entry);
	}
}

/* ---- forgetting */

void guard_sweep(struct guard *guard, int64_t now_ms)
{
	struct window *window;
	struct home *home;

	for (enum auth_kind kind = 0; kind < AUTH_RULES; kind++)
		for (int i = 0; i < SWEEP_MAX; i++) {
			window = lru_oldest(guard->windows[kind]);
			if (window == NULL || !window_is_over(window, now_ms))
				break;
			lru_drop(guard->windows[kind], window);
		}
	repeats_sweep(guard->repeats, now_ms - REPEAT_PERIOD_MAX_MS);
	for (int i = 0; i < SWEEP_MAX; i++) {
		home = lru_oldest(guard->homes);
		if (home == NULL || home->at_ms + GUARD_HOME_MS > now_ms)
			break;
		lru_drop(guard->homes, home);
	}
}

size_t guard_block_count(const struct guard *guard)
{
	return lru_count(guard->blocks);
}

size_t guard_window_count(const struct guard *guard)
{
	size_t count = 0;

	for (enum auth_kind kind = 0; kind < AUTH_RULES; kind++)
		count += lru_count(guard->windows[kind]);
	return count;
}
