#include "policyd/decide.h"

#include <stdlib.h>
#include <string.h>

#include "core/address.h"
#include "core/map.h"
#include "policyd/resolve.h"
#include "policyd/usage_limit.h"

static const char *const cause_names[CAUSE_IDS] = {
	[CAUSE_NONE] = "none",       [CAUSE_RATE] = "rate",
	[CAUSE_NEVER] = "never",     [CAUSE_QUOTA] = "quota",
	[CAUSE_SENDER] = "sender",   [CAUSE_NULL_SENDER] = "null_sender",
	[CAUSE_ACCOUNT] = "account", [CAUSE_LOG_IN] = "log_in",
	[CAUSE_STALE] = "stale",     [CAUSE_NO_DATA] = "no_data",
	[CAUSE_FAULT] = "fault",
};

/* One question on its way: the request with its addresses in normal form. */
struct question {
	struct decide_world *world;
	struct decide_session *session;
	const struct request *request;
	struct pw_str login;
	int64_t now_us;
};

static void set(struct decision *out, enum decide_verdict verdict,
                enum decide_cause cause)
{
	out->verdict = verdict;
	out->cause = cause;
}

static void set_fault(struct decision *out, enum pw_status status)
{
	set(out, DECIDE_DEFER, CAUSE_FAULT);
	out->status = status;
}

/* ---- the message a connection is busy with */

int64_t decide_forget(struct decide_world *world, struct decide_session *session)
{
	int64_t tokens = 0;

	for (size_t i = 0; i < session->hold_count; i++) {
		struct decide_hold *hold = &session->holds[i];

		pw_rate_refund(&hold->account->bucket, hold->tokens);
		tokens += hold->tokens;
	}
	world->lost_count += tokens > 0;
	session->hold_count = 0;
	session->seen_count = 0;
	session->instance_len = 0;
	session->is_committed = false;
	return tokens;
}

void decide_session_done(struct decide_world *world, struct decide_session *session)
{
	decide_forget(world, session);
	free(session->seen);
	*session = (struct decide_session){ .seen = NULL };
}

static void enter_instance(const struct question *q)
{
	struct decide_session *session = q->session;
	struct pw_str known = { session->instance, session->instance_len };
	struct pw_str instance = pw_str_sub(q->request->instance, 0, DECIDE_INSTANCE_MAX);

	if (instance.len > 0 && pw_str_eq(known, instance))
		return;
	decide_forget(q->world, session);
	memcpy(session->instance, instance.len > 0 ? instance.at : "", instance.len);
	session->instance_len = instance.len;
}

static uint64_t recipient_hash(const struct question *q)
{
	return pw_siphash(q->world->seed, q->request->recipient);
}

static bool has_seen(const struct question *q)
{
	uint64_t hash = recipient_hash(q);

	for (size_t i = 0; i < q->session->seen_count; i++)
		if (q->session->seen[i] == hash)
			return true;
	return false;
}

/* Without memory it is not remembered: asked again, it is charged again. */
static void remember(const struct question *q)
{
	struct decide_session *session = q->session;
	size_t room = session->seen_room != 0 ? session->seen_room * 2 : 16;

	if (session->seen_count == session->seen_room) {
		uint64_t *seen =
			room <= DECIDE_RECIPIENTS_MAX * 2
				? reallocarray(session->seen, room, sizeof(*seen))
				: NULL;

		if (seen == NULL)
			return;
		session->seen = seen;
		session->seen_room = room;
	}
	if (session->seen_count < DECIDE_RECIPIENTS_MAX)
		session->seen[session->seen_count++] = recipient_hash(q);
}

/* ---- limits */

static struct decide_hold *find_hold(struct decide_session *session, int64_t rule_id)
{
	for (size_t i = 0; i < session->hold_count; i++)
		if (session->holds[i].account->rule_id == rule_id)
			return &session->holds[i];
	return NULL;
}

static void describe_breach(struct decide_breach *out, const struct catalog_rule *rule,
                            struct ledger_account *account, int64_t cost, int64_t now_us)
{
	out->rule = rule;
	out->retry_after_us =
		pw_rate_retry_after(&account->bucket, &account->rate, cost, now_us);
	out->is_first = now_us >= account->told_until_us;
	if (out->is_first)
		account->told_until_us = now_us + rule->rate.period_us;
}

/* Reserve cost tokens of one rule and write them into the session. False: the rule
 * forbids it, or a fault; out says which. */
static bool reserve(struct decision *out, const struct question *q,
                    const struct catalog_rule *rule, int64_t cost)
{
	struct decide_session *session = q->session;
	struct decide_hold *hold = find_hold(session, rule->id);
	struct ledger_account *account;
	enum pw_status r;

	if (hold == NULL && session->hold_count == CATALOG_RULES_MAX) {
		set_fault(out, PW_ERR_LIMIT); /* rules were exchanged in mid-message */
		return false;
	}
	r = ledger_open(q->world->ledger, &account, rule, q->login, q->now_us);
	if (r != PW_OK) {
		set_fault(out, r);
		return false;
	}
	if (!pw_rate_reserve(&account->bucket, &account->rate, cost, q->now_us)) {
		bool is_never = cost > rule->rate.burst;

		if (rule->is_dry_run) {
			describe_breach(&out->dry_run, rule, account, cost, q->now_us);
			return true;
		}
		describe_breach(&out->breach, rule, account, cost, q->now_us);
		set(out,
		    is_never || rule->action == RULE_REJECT ? DECIDE_REJECT
		                                            : DECIDE_DEFER,
		    is_never ? CAUSE_NEVER : CAUSE_RATE);
		return false;
	}
	if (hold == NULL) {
		hold = &session->holds[session->hold_count++];
		*hold = (struct decide_hold){ .account = account, .unit = rule->unit };
	}
	hold->tokens += cost;
	return true;
}

/* Back to what the session held before; rules are charged together or not at all. */
static void undo(struct decide_session *session, const struct decide_hold *before,
                 size_t before_count)
{
	for (size_t i = 0; i < session->hold_count; i++) {
		int64_t kept = i < before_count ? before[i].tokens : 0;

		pw_rate_refund(&session->holds[i].account->bucket,
		               session->holds[i].tokens - kept);
		session->holds[i].tokens = kept;
	}
	session->hold_count = before_count;
}

/* Has this message been charged what a message costs by this rule? Where RCPT counts at
 * once nothing is held any more, but an earlier recipient was admitted. */
static bool is_charged(const struct decide_world *world, struct decide_session *session,
                       const struct catalog_rule *rule)
{
	if (rule->unit != RULE_MESSAGES)
		return false;
	return find_hold(session, rule->id) != NULL ||
	       (world->commit_stage == STAGE_RCPT && session->seen_count > 0);
}

/* Reserve what one more recipient of this message costs: one of each rule in recipients,
 * one of each in messages unless this message has it already. */
static bool reserve_all(struct decision *out, const struct question *q,
                        int64_t recipients)
{
	const struct catalog_rule *rules[CATALOG_RULES_MAX];
	size_t count = catalog_rules(q->world->catalog, q->login, rules);
	struct decide_hold before[CATALOG_RULES_MAX];
	size_t before_count = q->session->hold_count;

	memcpy(before, q->session->holds, sizeof(before));
	for (size_t i = 0; i < count; i++) {
		int64_t cost = rules[i]->unit == RULE_RECIPIENTS ? recipients : 1;

		if (is_charged(q->world, q->session, rules[i]))
			continue;
		if (!reserve(out, q, rules[i], cost)) {
			undo(q->session, before, before_count);
			return false;
		}
	}
	return true;
}

/* Use what is reserved. Recipients that others refused after us are given back: at this
 * stage Postfix says how many are left (0 = it does not say). */
static void commit(const struct question *q)
{
	struct decide_session *session = q->session;
	int64_t left = q->request->recipient_count;

	for (size_t i = 0; i < session->hold_count; i++) {
		struct decide_hold *hold = &session->holds[i];
		struct ledger_account *account = hold->account;
		bool is_fewer =
			hold->unit == RULE_RECIPIENTS && left > 0 && left < hold->tokens;
		int64_t used = is_fewer ? left : hold->tokens;

		pw_rate_commit(&account->bucket, &account->rate, used, q->now_us);
		pw_rate_refund(&account->bucket, hold->tokens - used);
		ledger_touch(q->world->ledger, account);
	}
	session->hold_count = 0;
}

static void limit_recipient(struct decision *out, const struct question *q)
{
	q->world->has_seen_rcpt = true;
	if (q->session->is_committed || has_seen(q) || !reserve_all(out, q, 1))
		return;
	remember(q);
	if (q->world->commit_stage == STAGE_RCPT || q->session->instance_len == 0)
		commit(q);
}

/* Nothing was asked about this message at RCPT: a restart in its middle, or a Postfix
 * that asks at this stage alone. It is judged whole. */
static void limit_message(struct decision *out, const struct question *q)
{
	int64_t recipients = q->request->recipient_count;

	if (!q->world->has_seen_rcpt && !q->world->has_warned) {
		out->warning = WARN_NO_RCPT;
		q->world->has_warned = true;
	}
	if (recipients < 1)
		recipients = 1;
	if (recipients > PW_RATE_COUNT_MAX)
		recipients = PW_RATE_COUNT_MAX;
	if (reserve_all(out, q, recipients))
		commit(q);
}

static void limit_commit(struct decision *out, const struct question *q)
{
	q->world->has_seen_commit = true;
	if (q->session->is_committed)
		return;
	if (q->session->seen_count > 0 || q->session->hold_count > 0)
		commit(q);
	else
		limit_message(out, q);
	q->session->is_committed = out->verdict == DECIDE_DUNNO;
}

static void check_limits(struct decision *out, const struct question *q)
{
	if (q->login.len == 0)
		return;
	if (q->request->stage == STAGE_RCPT)
		limit_recipient(out, q);
	else if (q->request->stage == q->world->commit_stage)
		limit_commit(out, q);
}

/* ---- the account, the sender and the quota */

/* Why the login may not send; empty = it may, or is unknown: then check_sender has the
 * word. */
static struct pw_str refusal(const struct question *q)
{
	const struct decide_world *world = q->world;
	const struct catalog_login *login = catalog_login(world->catalog, q->login);
	const struct catalog_entry *entry = catalog_find(world->catalog, q->login);

	if (login == NULL && (entry == NULL || !entry->is_mailbox) &&
	    standing_is_gone(world->standing, q->login, q->now_us / 1000))
		return PW_STR("deleted");
	if (login == NULL)
		return PW_STR("");
	if (!login->may_send)
		return login->refusal.len > 0 ? login->refusal : PW_STR("refused");
	if (login->expires_ms != 0 && login->expires_ms <= world->now_wall_ms)
		return PW_STR("expired");
	return PW_STR("");
}

/* An open session outlives what its login may. One that is refused stays open, and as old
 * as it is: it is not told to log in again, which would be forgotten by that. */
static void check_account(struct decision *out, const struct question *q)
{
	struct pw_str reason;

	if (q->login.len == 0 ||
	    (q->request->stage != STAGE_MAIL && q->request->stage != STAGE_RCPT))
		return;
	reason = refusal(q);
	if (reason.len > 0 && q->world->is_fresh) {
		set(out, DECIDE_REJECT, CAUSE_ACCOUNT);
		out->reason = reason;
	} else if (reason.len > 0) {
		set(out, DECIDE_DEFER, CAUSE_STALE);
	} else if (standing_is_old(q->world->standing, q->login,
	                           q->request->client_address, q->request->client_port,
	                           q->now_us / 1000)) {
		set(out, DECIDE_DEFER, CAUSE_LOG_IN);
	}
}

static void check_sender(struct decision *out, const struct question *q)
{
	PW_AUTO(pw_buf_done) struct pw_buf sender = { 0 };
	enum pw_status r;

	if (q->login.len == 0 ||
	    (q->request->stage != STAGE_MAIL && q->request->stage != STAGE_RCPT))
		return;
	r = pw_address_normalise(&sender, q->request->sender);
	if (r == PW_ERR_NOMEM)
		set_fault(out, r);
	else if (r == PW_ERR_NOTFOUND)
		set(out, DECIDE_REJECT, CAUSE_NULL_SENDER);
	else if (r == PW_OK && pw_owner_may_send(catalog_owner(q->world->catalog),
	                                         q->login, pw_buf_str(&sender)))
		return;
	else if (q->world->is_fresh &&
	         pw_owner_knows(catalog_owner(q->world->catalog), q->login))
		set(out, DECIDE_REJECT, CAUSE_SENDER);
	else
		set(out, DECIDE_DEFER, CAUSE_STALE);
}

static bool is_full(const struct question *q, const struct catalog_entry *entry)
{
	struct usage_room room;

	usage_room_of(&room, q->world->usage, q->world->catalog, entry);
	return usage_is_full(&room, q->request->size_bytes);
}

/* A recipient is refused only if all mailboxes behind it are full: one full mailbox must
 * not stop a list. */
static void check_quota(struct decision *out, const struct question *q)
{
	PW_AUTO(pw_buf_done) struct pw_buf recipient = { 0 };
	struct resolve_result found;

	if (q->request->stage != STAGE_RCPT ||
	    pw_address_normalise(&recipient, q->request->recipient) != PW_OK)
		return;
	resolve(&found, q->world->catalog, pw_buf_str(&recipient));
	if (found.count == 0 || found.is_cut)
		return;
	for (size_t i = 0; i < found.count; i++)
		if (!is_full(q, found.mailboxes[i]))
			return;
	set(out, DECIDE_DEFER, CAUSE_QUOTA);
}

/* In this order: what refuses must not have been charged. */
static void (*const checks[])(struct decision *out, const struct question *q) = {
	check_account,
	check_sender,
	check_quota,
	check_limits,
};

/* "ann@example.test" in normal form; a login that is no address in lower case. */
static enum pw_status normal_login(struct pw_buf *out, struct pw_str login)
{
	enum pw_status r = login.len > 0 ? pw_address_normalise(out, login) : PW_OK;

	if (r == PW_OK || r == PW_ERR_NOMEM)
		return r;
	pw_buf_put_lower(out, login);
	return pw_buf_status(out);
}

static void warn_about_stages(struct decision *out, struct decide_world *world)
{
	if (world->has_warned || world->has_seen_commit ||
	    world->commit_stage == STAGE_RCPT || world->lost_count < DECIDE_LOST_MAX)
		return;
	out->warning = WARN_NO_COMMIT;
	world->has_warned = true;
}

void decide(struct decision *out, struct decide_world *world,
            struct decide_session *session, const struct request *request, int64_t now_us)
{
	PW_AUTO(pw_buf_done) struct pw_buf login = { 0 };
	struct question q = { world, session, request, { NULL, 0 }, now_us };
	enum pw_status r;

	*out = (struct decision){ .verdict = DECIDE_DUNNO };
	enter_instance(&q);
	if ((r = normal_login(&login, request->login)) != PW_OK) {
		set_fault(out, r);
		return;
	}
	q.login = pw_buf_str(&login);
	if (world->catalog == NULL) {
		if (q.login.len > 0)
			set(out, DECIDE_DEFER, CAUSE_NO_DATA);
		return;
	}
	for (size_t i = 0; i < PW_LEN(checks) && out->verdict == DECIDE_DUNNO; i++)
		checks[i](out, &q);
	warn_about_stages(out, world);
}

const char *decide_cause_name(enum decide_cause cause)
{
	return cause_names[cause];
}
