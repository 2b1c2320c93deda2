/* What the limits do besides answering: attempts over one are stored, events and
 * mail tell who ran into one, SQL sets counters to zero. */
#include "core/address.h"
#include "io/clock.h"
#include "io/log.h"
#include "policyd/daemon.h"
#include "policyd/resolve.h"
#include "policyd/text.h"

void limit_talk_store(struct daemon *daemon)
{
	const struct ledger_account *account;

	while ((account = ledger_next_changed(daemon->ledger)) != NULL)
		database_put_over(daemon->database, account, daemon_now_us());
}

static void reset(struct daemon *daemon, const struct catalog_reset *reset)
{
	size_t count = ledger_reset(daemon->ledger, reset->rule_id, reset->who);

	lease_book_reset(daemon->leases, reset->rule_id, reset->who);
	pw_count(&numbers, NUMBER_rate_resets, (int64_t)count);
	pw_log(PW_LOG_INFO, "", PW_KV("event", "rate_reset"),
	       reset->who.len > 0 ? PW_KV("who", reset->who) : PW_KV_NONE,
	       reset->rule_id != 0 ? PW_KV_INT("rule", reset->rule_id) : PW_KV_NONE,
	       PW_KV_INT("counters", count), PW_KV_END);
}

/* The first catalog only says where to begin: nothing is held before it. */
void limit_talk_follow(struct daemon *daemon)
{
	const struct catalog_reset *next = catalog_resets(daemon->world.catalog);

	for (; next != NULL; next = next->next) {
		if (daemon->has_resets && next->id > daemon->reset_seen)
			reset(daemon, next);
		if (next->id > daemon->reset_seen)
			daemon->reset_seen = next->id;
	}
	daemon->has_resets = true;
	blocks_follow(daemon->blocks, daemon->world.catalog, pw_clock_wall_ms());
}

/* ---- telling */

/* Admins behind an address that is an alias of many. */
#define ADMINS_MAX 10

static void send_notice(struct daemon *daemon, struct pw_str mailbox, enum rule_tell whom,
                        const struct decide_breach *breach, const struct request *request)
{
	const struct catalog_notice *notice = catalog_notice(daemon->world.catalog, whom);
	PW_AUTO(pw_buf_done) struct pw_buf subject = { 0 }, text = { 0 };
	struct chores_warning warning;
	int64_t now_ms = pw_clock_wall_ms();

	if (notice == NULL ||
	    text_notice(&subject, notice->subject, breach, request, now_ms) != PW_OK ||
	    text_notice(&text, notice->text, breach, request, now_ms) != PW_OK)
		return;
	warning = (struct chores_warning){ .login = mailbox,
		                           .subject = pw_buf_str(&subject),
		                           .text = pw_buf_str(&text),
		                           .is_notice = true };
	chores_warn(daemon->chores, &warning);
	pw_count(&numbers, NUMBER_rate_notices, 1);
}

/* Notices are delivered by Dovecot, so they go to mailboxes: an alias of the admin's is
 * followed here. */
static void send_to_all(struct daemon *daemon, struct pw_str address, size_t most,
                        enum rule_tell whom, const struct decide_breach *breach,
                        const struct request *request)
{
	PW_AUTO(pw_buf_done) struct pw_buf normal = { 0 };
	struct resolve_result found;

	if (pw_address_normalise(&normal, address) != PW_OK)
		return;
	resolve(&found, daemon->world.catalog, pw_buf_str(&normal));
	for (size_t i = 0; i < found.count && i < most; i++)
		send_notice(daemon, found.mailboxes[i]->address, whom, breach, request);
}

static void tell_breach(struct daemon *daemon, const struct decide_breach *breach,
                        const struct request *request)
{
	enum rule_tell tell;

	if (breach->rule == NULL || !breach->is_first)
		return;
	database_put_event(daemon->database, breach->rule, breach->who,
	                   breach->retry_after_us);
	tell = breach->rule->tell;
	if ((tell == RULE_USER || tell == RULE_BOTH) && !breach->rule->is_dry_run)
		send_to_all(daemon, request->login, 1, RULE_USER, breach, request);
	if (tell == RULE_ADMIN || tell == RULE_BOTH)
		send_to_all(daemon, catalog_rate_admin(daemon->world.catalog), ADMINS_MAX,
		            RULE_ADMIN, breach, request);
}

void limit_talk_tell(struct daemon *daemon, const struct decision *decision,
                     const struct request *request)
{
	tell_breach(daemon, &decision->breach, request);
	tell_breach(daemon, &decision->dry_run, request);
	if (decision->blocked_until_ms != 0)
		database_put_suspension(daemon->database, decision->breach.rule,
		                        request->login, decision->blocked_until_ms);
}
