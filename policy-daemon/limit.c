#include "policyd/limit.h"

#include <stdlib.h>
#include <string.h>

#include "core/address.h"
#include "core/map.h"

/* ---- what a question is about */

struct facts {
	struct rule_facts rule;
	struct pw_buf texts; /* sender and recipient without extension */
	char room[512];
};

static void facts_done(struct facts *facts)
{
	pw_buf_done(&facts->texts);
}

/* "@example.org" */
static struct pw_str domain_of(struct pw_str address)
{
	size_t at = pw_str_rfind(address, '@');

	return at < address.len ? pw_str_sub(address, at, address.len)
	                        : (struct pw_str){ NULL, 0 };
}

/* Append the address without its extension, or as it is. */
static void put_base(struct pw_buf *out, struct pw_str address, char delimiter)
{
	if (!pw_address_put_base(out, address, delimiter))
		pw_buf_puts(out, address);
}

static void set_address(struct rule_facts *facts, enum rule_word word,
                        enum rule_word domain, struct pw_str address)
{
	facts->text[word] = address;
	facts->text[domain] = domain_of(address);
}

/* False: no memory. */
static bool facts_make(struct facts *out, const struct question *q)
{
	char delimiter = catalog_delimiter(q->world->catalog);
	struct rule_facts *facts = &out->rule;
	size_t sender_len;

	*facts = (struct rule_facts){ .is_null_sender = false };
	out->texts = PW_BUF_IN(out->room);
	put_base(&out->texts, q->sender, delimiter);
	sender_len = out->texts.len;
	put_base(&out->texts, q->recipient, delimiter);
	if (pw_buf_status(&out->texts) != PW_OK)
		return false;
	set_address(facts, WORD_LOGIN, WORD_LOGIN_DOMAIN, q->login);
	set_address(facts, WORD_SENDER, WORD_SENDER_DOMAIN,
	            pw_str_sub(pw_buf_str(&out->texts), 0, sender_len));
	set_address(facts, WORD_RECIPIENT, WORD_RECIPIENT_DOMAIN,
	            pw_str_sub(pw_buf_str(&out->texts), sender_len, out->texts.len));
	if (pw_ip_parse(&facts->client, q->request->client_address) == PW_OK)
		facts->client = pw_ip_unmap(facts->client);
	if (!pw_str_eq(q->client_name, PW_STR("unknown")))
		facts->text[WORD_CLIENT_NAME] = q->client_name;
	facts->text[WORD_CONTEXT] = q->request->context;
	facts->text[WORD_PORT] = q->request->server_port;
	facts->text[WORD_SERVER] = PW_STR("*");
	facts->is_null_sender = q->sender.len == 0;
	return true;
}

/* ---- what a message holds */

static struct decide_hold *find_hold(struct decide_session *session,
                                     const struct ledger_account *account)
{
	for (size_t i = session->hold_count; i-- > 0;)
		if (session->holds[i].account == account)
			return &session->holds[i];
	return NULL;
}

/* NULL = no memory, or far too many. */
static struct decide_hold *add_hold(struct decide_session *session,
                                    struct ledger_account *account, enum rule_unit unit)
{
	size_t room = session->hold_room != 0 ? session->hold_room * 2 : 8;
	struct decide_hold *holds;

	if (session->hold_count == session->hold_room) {
		holds = room <= DECIDE_HOLDS_MAX
		                ? reallocarray(session->holds, room, sizeof(*holds))
		                : NULL;
		if (holds == NULL)
			return NULL;
		session->holds = holds;
		session->hold_room = room;
	}
	account->pins++;
	session->holds[session->hold_count] =
		(struct decide_hold){ .account = account, .unit = unit };
	return &session->holds[session->hold_count++];
}

/* Tokens that are not needed. */
static void give_back(struct decide_hold *hold, int64_t tokens)
{
	if (account_leased(hold->account) != NULL)
		lease_book_refund(hold->account, &hold->loan, tokens);
	else
		account_refund(hold->account, tokens);
	hold->tokens -= tokens;
}

/* Drop the holds from the given one on, what they have is given back. */
static int64_t drop_holds(struct decide_session *session, size_t from)
{
	int64_t tokens = 0;

	for (size_t i = from; i < session->hold_count; i++) {
		struct decide_hold *hold = &session->holds[i];

		tokens += hold->tokens;
		give_back(hold, hold->tokens);
		hold->account->pins--;
	}
	session->hold_count = from < session->hold_count ? from : session->hold_count;
	return tokens;
}

int64_t limit_release(struct decide_session *session)
{
	return drop_holds(session, 0);
}

/* ---- taking tokens: of the account, or of a lease of what other nodes share */

void limit_end_waits(struct decide_session *session)
{
	for (size_t i = 0; i < session->wait_count; i++)
		lease_book_unwait(session->waits[i].account, session->waits[i].cost);
	session->wait_count = 0;
}

/* Has the request waited as long as it may? Its time begins with its first wait. */
static bool is_late(const struct question *q)
{
	return q->session->wait_since_us != 0 &&
	       q->now_us - q->session->wait_since_us >= q->world->wait_max_us;
}

/* What it waits for is noted; other rules are asked all the same, so all that is missing
 * is fetched at once. */
static enum lease_answer take(const struct question *q, const struct catalog_rule *rule,
                              struct ledger_account *account, int64_t cost,
                              struct lease_loan *loan)
{
	struct decide_session *session = q->session;
	enum lease_answer answer;

	if (q->world->leases == NULL)
		return account_reserve(account, cost, q->now_us) ? LEASE_TAKEN
		                                                 : LEASE_EMPTY;
	answer = lease_book_take(q->world->leases, account, rule, cost,
	                         is_late(q) || session->wait_count == CATALOG_RULES_MAX,
	                         loan, q->now_us);
	if (answer == LEASE_WAIT) {
		lease_book_wait(account, cost);
		session->waits[session->wait_count++] =
			(struct decide_wait){ account, cost };
	}
	return answer;
}

static void await_leases(struct decision *out, const struct question *q)
{
	if (q->session->wait_since_us == 0)
		q->session->wait_since_us = q->now_us;
	decision_set(out, DECIDE_WAIT, CAUSE_NONE);
}

/* ---- a rule that is exceeded */

static void describe(struct decide_breach *out, const struct question *q,
                     const struct catalog_rule *rule, struct ledger_account *account,
                     int64_t cost)
{
	struct ledger_more *more = ledger_more(account);

	out->rule = rule;
	out->who = account_who(account);
	out->retry_after_us = q->world->leases != NULL
	                              ? lease_book_retry_after(account, cost, q->now_us)
	                              : account_retry_after(account, cost, q->now_us);
	if (more == NULL)
		return;
	out->is_first = q->now_us >= more->told_until_us;
	if (out->is_first) {
		more->told_until_us = q->now_us + rule->rate.period_us;
		more->over_count = 0;
	}
	more->over_count++;
	ledger_touch(q->world->ledger, account);
}

static void block_login(struct decision *out, const struct question *q,
                        const struct catalog_rule *rule)
{
	if (q->login.len == 0 || rule->block_us == 0)
		return;
	out->blocked_until_ms = q->world->now_wall_ms + rule->block_us / 1000;
	blocks_put(q->world->blocks, q->login, out->blocked_until_ms,
	           q->world->now_wall_ms);
}

/* May the question go on in spite of it? */
static bool breach(struct decision *out, const struct question *q,
                   const struct catalog_rule *rule, struct ledger_account *account,
                   int64_t cost)
{
	struct decide_breach found = { .rule = NULL };
	bool is_never;

	describe(&found, q, rule, account, cost);
	if (rule->is_dry_run) {
		out->dry_run = found;
		return true;
	}
	out->breach = found;
	if (rule->action == RULE_HOLD) {
		decision_set(out, DECIDE_HOLD, CAUSE_RATE);
		return true;
	}
	is_never = found.retry_after_us < 0;
	decision_set(out,
	             is_never || rule->action != RULE_DEFER ? DECIDE_REJECT
	                                                    : DECIDE_DEFER,
	             is_never ? CAUSE_NEVER : CAUSE_RATE);
	if (rule->action == RULE_BLOCK)
		block_login(out, q, rule);
	return false;
}

/* ---- charging all rules of a question, or none */

/* A rule that gave nothing. It is told when it is sure that none has to be waited for. */
struct shortage {
	const struct catalog_rule *rule;
	struct ledger_account *account;
	int64_t cost;
	bool is_closed; /* not reached: nobody knows, and then it refuses */
};

/* May the question go on in spite of it? */
static bool is_soft(const struct catalog_rule *rule, bool is_closed)
{
	return rule->is_dry_run || (rule->action == RULE_HOLD && !is_closed);
}

static bool tell_shortage(struct decision *out, const struct question *q,
                          const struct shortage *shortage)
{
	if (!shortage->is_closed)
		return breach(out, q, shortage->rule, shortage->account, shortage->cost);
	if (shortage->rule->is_dry_run)
		return true;
	decision_set(out, DECIDE_DEFER, CAUSE_OUTAGE);
	return false;
}

/* Of this recipient, and of it in this context. Secret, so nobody makes two of them meet.
 */
struct hashes {
	uint64_t recipient, question;
};

static struct hashes hashes_of(const struct question *q)
{
	uint64_t recipient = pw_siphash(q->world->seed, q->recipient);
	uint64_t context = pw_siphash(q->world->seed, q->request->context);

	return (struct hashes){ recipient, recipient * 3 ^ context };
}

struct charging {
	struct decision *out;
	const struct question *q;
	const struct facts *facts;
	int64_t recipients;
	const struct hashes *hashes;
	struct pw_buf who; /* key text of the rule at hand */
	char room[512];
	struct {
		size_t hold; /* its place */
		int64_t cost;
	} charges[CATALOG_RULES_MAX];
	size_t count, holds_before;
	struct shortage shortages[CATALOG_RULES_MAX];
	size_t shortage_count;
};

/* This recipient, counted there: it stays where it is while it is held. */
static uint64_t charge_hash(const struct charging *c,
                            const struct ledger_account *account)
{
	return (c->hashes->recipient ^ (uintptr_t)account) * 0x9e3779b97f4a7c15u;
}

/* What the question costs there; 0 = the message has it already. */
static int64_t cost_of(const struct charging *c, const struct catalog_rule *rule,
                       const struct ledger_account *account)
{
	const struct question *q = c->q;
	bool is_held = find_hold(q->session, account) != NULL;

	if (rule->unit == RULE_RECIPIENTS)
		return is_held && seen_has(&q->session->seen, charge_hash(c, account))
		               ? 0
		               : c->recipients;
	if (is_held)
		return 0;
	return rule->unit == RULE_BYTES && q->request->size_bytes > 1
	               ? q->request->size_bytes
	               : 1;
}

static bool charge_account(struct charging *c, const struct catalog_rule *rule,
                           struct ledger_account *account, int64_t cost)
{
	struct decide_session *session = c->q->session;
	struct decide_hold *hold = find_hold(session, account);
	bool is_held = hold != NULL;
	enum lease_answer answer;

	if (cost > PW_RATE_COUNT_MAX)
		cost = PW_RATE_COUNT_MAX;
	if (hold == NULL && (hold = add_hold(session, account, rule->unit)) == NULL) {
		decision_set_fault(c->out, PW_ERR_LIMIT);
		return false;
	}
	answer = take(c->q, rule, account, cost, &hold->loan);
	if (answer != LEASE_TAKEN && !is_held)
		drop_holds(session, session->hold_count - 1);
	if (answer == LEASE_WAIT)
		return true;
	if (answer != LEASE_TAKEN) {
		c->shortages[c->shortage_count++] =
			(struct shortage){ rule, account, cost, answer == LEASE_CLOSED };
		return is_soft(rule, answer == LEASE_CLOSED);
	}
	hold->tokens += cost;
	c->charges[c->count].hold = (size_t)(hold - session->holds);
	c->charges[c->count++].cost = cost;
	return true;
}

static bool charge_rule(struct charging *c, const struct catalog_rule *rule)
{
	struct ledger_account *account = NULL;
	enum pw_status r;
	int64_t cost;

	pw_buf_reset(&c->who);
	if (!rules_key(&c->who, rule, &c->facts->rule))
		return true;
	if ((r = pw_buf_status(&c->who)) == PW_OK)
		r = ledger_open(c->q->world->ledger, &account, rule, pw_buf_str(&c->who),
		                c->q->now_us);
	if (r != PW_OK) {
		decision_set_fault(c->out, r);
		return false;
	}
	cost = cost_of(c, rule, account);
	return cost == 0 || charge_account(c, rule, account, cost);
}

static void undo(struct charging *c)
{
	struct decide_session *session = c->q->session;

	for (size_t i = 0; i < c->count; i++) {
		struct decide_hold *hold = &session->holds[c->charges[i].hold];

		give_back(hold, c->charges[i].cost);
	}
	drop_holds(session, c->holds_before);
}

/* What gave nothing, in the order of the rules. */
static bool tell_shortages(struct charging *c)
{
	for (size_t i = 0; i < c->shortage_count; i++)
		if (!tell_shortage(c->out, c->q, &c->shortages[i]))
			return false;
	return true;
}

static void remember(const struct charging *c)
{
	struct decide_session *session = c->q->session;

	for (size_t i = 0; i < c->count; i++) {
		const struct decide_hold *hold = &session->holds[c->charges[i].hold];

		if (hold->unit == RULE_RECIPIENTS)
			seen_add(&session->seen, charge_hash(c, hold->account),
			         DECIDE_SEEN_MAX);
	}
	seen_add(&session->seen, c->hashes->question, DECIDE_SEEN_MAX);
}

/* What has a count of its own stays as it is: it is large. */
static void charging_init(struct charging *c, struct decision *out,
                          const struct question *q)
{
	c->out = out;
	c->q = q;
	c->who = PW_BUF_IN(c->room);
	c->holds_before = q->session->hold_count;
	c->count = c->shortage_count = 0;
}

static void charging_done(struct charging *c)
{
	pw_buf_done(&c->who);
}

static bool charge_rules(struct charging *c, const struct catalog_rule *const *rules,
                         size_t count)
{
	bool is_good = true;

	for (size_t i = 0; i < count && is_good; i++)
		is_good = charge_rule(c, rules[i]);
	if (is_good && c->q->session->wait_count > 0) {
		await_leases(c->out, c->q);
		is_good = false;
	} else {
		limit_end_waits(c->q->session);
		is_good = tell_shortages(c) && is_good;
	}
	if (is_good)
		remember(c);
	else
		undo(c);
	return is_good;
}

/* Reserve what so many more recipients of this message cost. False: it is refused, and
 * costs nothing. */
static bool charge(struct decision *out, const struct question *q,
                   const struct hashes *hashes, int64_t recipients)
{
	const struct catalog_rule *rules[CATALOG_RULES_MAX];
	PW_AUTO(facts_done) struct facts facts;
	PW_AUTO(charging_done) struct charging c;
	size_t count;

	charging_init(&c, out, q);
	c.facts = &facts;
	c.hashes = hashes;
	c.recipients = recipients;
	if (!facts_make(&facts, q)) {
		decision_set_fault(out, PW_ERR_NOMEM);
		return false;
	}
	count = rules_match(catalog_rules(q->world->catalog), &facts.rule, rules);
	return charge_rules(&c, rules, count);
}

/* ---- the message is there, or not */

/* What was reserved stays so while others are waited for. */
static bool settle_size(struct decision *out, const struct question *q,
                        const struct shortage *shortages, size_t count)
{
	bool is_refused = false;

	for (size_t i = 0; i < count; i++)
		is_refused |= !is_soft(shortages[i].rule, shortages[i].is_closed);
	if (!is_refused && q->session->wait_count > 0) {
		await_leases(out, q);
		return false;
	}
	limit_end_waits(q->session);
	for (size_t i = 0; i < count; i++) {
		struct decide_hold *hold = find_hold(q->session, shortages[i].account);

		/* what this message had is no reason to wait when it comes again */
		give_back(hold, hold->tokens);
		if (!tell_shortage(out, q, &shortages[i]))
			return false;
	}
	return true;
}

/* What the message is larger than was announced, where bytes count. False: refused, or it
 * waits. */
static bool charge_size(struct decision *out, const struct question *q)
{
	struct decide_session *session = q->session;
	struct shortage shortages[CATALOG_RULES_MAX];
	int64_t size = q->request->size_bytes;
	size_t count = 0;

	if (size > PW_RATE_COUNT_MAX)
		size = PW_RATE_COUNT_MAX;
	for (size_t i = 0; i < session->hold_count && count < PW_LEN(shortages); i++) {
		struct decide_hold *hold = &session->holds[i];
		const struct catalog_rule *rule = rules_find(
			catalog_rules(q->world->catalog), hold->account->terms->rule_id);
		int64_t more = size - hold->tokens;
		enum lease_answer answer;

		if (hold->unit != RULE_BYTES || more <= 0 || rule == NULL)
			continue;
		answer = take(q, rule, hold->account, more, &hold->loan);
		if (answer == LEASE_TAKEN)
			hold->tokens = size;
		else if (answer != LEASE_WAIT)
			shortages[count++] = (struct shortage){ rule, hold->account, size,
				                                answer == LEASE_CLOSED };
	}
	return settle_size(out, q, shortages, count);
}

static int64_t used_of(const struct question *q, const struct decide_hold *hold)
{
	int64_t left = q->request->recipient_count, size = q->request->size_bytes;
	bool is_end = q->request->stage == STAGE_END_OF_MESSAGE;
	int64_t used = hold->tokens;

	/* recipients that others refused after us: at the end Postfix says how many are
	 * left (0 = it does not say) */
	if (hold->unit == RULE_RECIPIENTS && left > 0 && left < used)
		used = left;
	if (hold->unit == RULE_BYTES && is_end && size > 0 && size < used)
		used = size;
	return used;
}

static void warn_about_size(struct decision *out, const struct question *q)
{
	if (q->world->has_warned_size || q->request->size_bytes > 0)
		return;
	out->warning = WARN_NO_SIZE;
	q->world->has_warned_size = true;
}

static void use(const struct question *q, struct decide_hold *hold)
{
	if (account_leased(hold->account) != NULL) {
		lease_book_commit(q->world->leases, hold->account, &hold->loan,
		                  hold->tokens, q->now_us);
	} else {
		account_commit(hold->account, hold->tokens, q->now_us);
		ledger_touch(q->world->ledger, hold->account);
	}
	hold->tokens = 0;
}

/* Use what is reserved. The holds stay, empty, until the message is over: it has been
 * charged there. */
static void commit(struct decision *out, const struct question *q)
{
	struct decide_session *session = q->session;

	for (size_t i = 0; i < session->hold_count; i++) {
		struct decide_hold *hold = &session->holds[i];
		int64_t used = used_of(q, hold);

		if (hold->tokens == 0)
			continue;
		if (hold->unit == RULE_BYTES && q->request->stage != STAGE_END_OF_MESSAGE)
			warn_about_size(out, q);
		give_back(hold, hold->tokens - used);
		use(q, hold);
	}
}

/* ---- stages */

static void check_recipient(struct decision *out, const struct question *q)
{
	const struct hashes hashes = hashes_of(q);

	q->session->service->has_seen_rcpt = true;
	if (q->session->is_committed || seen_has(&q->session->seen, hashes.question) ||
	    !charge(out, q, &hashes, 1))
		return;
	if (q->world->commit_stage == STAGE_RCPT || q->session->instance_len == 0)
		commit(out, q);
}

/* Nothing was asked about this message at RCPT: a restart in its middle, or a Postfix
 * that asks at this stage alone. It is judged whole. */
static void check_whole(struct decision *out, const struct question *q)
{
	const struct hashes hashes = hashes_of(q);
	int64_t recipients = q->request->recipient_count;

	if (!q->session->service->has_seen_rcpt && !q->session->service->has_warned) {
		out->warning = WARN_NO_RCPT;
		q->session->service->has_warned = true;
	}
	if (recipients < 1)
		recipients = 1;
	if (recipients > PW_RATE_COUNT_MAX)
		recipients = PW_RATE_COUNT_MAX;
	if (charge(out, q, &hashes, recipients))
		commit(out, q);
}

/* Refused at its end: it costs nothing. */
static void give_up(struct decide_session *session)
{
	limit_release(session);
	seen_clear(&session->seen);
}

static void check_commit(struct decision *out, const struct question *q)
{
	q->session->service->has_seen_commit = true;
	if (q->session->is_committed)
		return;
	if (q->session->seen.count == 0 && q->session->is_exempt)
		; /* a list let all its recipients skip the limits */
	else if (q->session->seen.count == 0)
		check_whole(out, q);
	else if (q->request->stage != STAGE_END_OF_MESSAGE || charge_size(out, q))
		commit(out, q);
	else if (out->verdict != DECIDE_WAIT)
		give_up(q->session);
	out->is_sent = q->session->is_committed =
		out->verdict == DECIDE_DUNNO || out->verdict == DECIDE_HOLD;
}

void limit_check(struct decision *out, const struct question *q)
{
	if (q->request->stage == STAGE_RCPT && out->access.skips_limits)
		q->session->is_exempt = true;
	else if (q->request->stage == STAGE_RCPT)
		check_recipient(out, q);
	else if (q->request->stage == q->world->commit_stage)
		check_commit(out, q);
}

void limit_check_block(struct decision *out, const struct question *q)
{
	int64_t until_ms;

	if (q->login.len == 0 ||
	    (q->request->stage != STAGE_MAIL && q->request->stage != STAGE_RCPT))
		return;
	until_ms = blocks_until_ms(q->world->blocks, q->world->catalog, q->login);
	if (until_ms <= q->world->now_wall_ms)
		return;
	decision_set(out, DECIDE_REJECT, CAUSE_BLOCKED);
	out->breach.retry_after_us = (until_ms - q->world->now_wall_ms) * 1000;
}
