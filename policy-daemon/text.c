#include "policyd/text.h"

#include <time.h>

#include "core/ascii.h"
#include "core/utf8.h"

/* clang-format off */
static const struct answer {
	const char *codes; /* of a defer or reject */
	const char *text;
} answers[CAUSE_IDS] = {
	[CAUSE_RATE]        = { "450 4.7.1", "<$who>: $limit $unit per $period reached; try again after $until" },
	[CAUSE_NEVER]       = { "554 5.7.1", "<$who>: more at once than $limit $unit per $period will ever allow" },
	[CAUSE_QUOTA]       = { "452 4.2.2", "<$recipient>: mailbox full" },
	[CAUSE_SENDER]      = { "553 5.7.1", "<$sender>: not an address of login $login" },
	[CAUSE_NULL_SENDER] = { "553 5.7.1", "<>: a login needs a sender address of its own" },
	[CAUSE_ACCOUNT]     = { "550 5.7.1", "<$login>: may not send: $reason" },
	[CAUSE_LOG_IN]      = { "421 4.7.0", "<$login>: password or account changed; log in again" },
	[CAUSE_STALE]       = { "451 4.3.0", "<$sender>: cannot tell now whether $login may send as it; try again later" },
	[CAUSE_NO_DATA]     = { "451 4.3.0", "accounts cannot be looked up now; try again later" },
	[CAUSE_LISTED]      = { "554 5.7.1", "<$recipient>: mail from you is not taken" },
	[CAUSE_POSTING]     = { "550 5.7.1", "<$recipient>: you may not write to this address" },
	[CAUSE_GREYLIST]    = { "450 4.7.1", "<$recipient>: greylisted, try again in $seconds s" },
	[CAUSE_OUTAGE]      = { "451 4.3.0", "limits cannot be looked up now; try again later" },
	[CAUSE_FAULT]       = { "451 4.3.0", "internal problem; try again later" },
	[CAUSE_BLOCKED]     = { "554 5.7.1", "<$login>: sending is suspended until $until" },
};

static const struct period {
	int64_t seconds;
	const char *one, *many;
} periods[] = {
	{ 604800, "week",   "weeks" },
	{ 86400,  "day",    "days" },
	{ 3600,   "hour",   "hours" },
	{ 60,     "minute", "minutes" },
	{ 1,      "second", "seconds" },
};

static const struct unit {
	const char *one, *many;
} units[] = {
	[RULE_MESSAGES]   = { "message",   "messages" },
	[RULE_RECIPIENTS] = { "recipient", "recipients" },
	[RULE_BYTES]      = { "byte",      "bytes" },
};
/* clang-format on */

/* What the variables stand for; rule may be NULL. */
struct facts {
	const struct catalog_rule *rule;
	struct pw_str who, login, sender, recipient, reason, client;
	int64_t until_s; /* since the epoch */
	int64_t wait_s;
};

static void put_login(struct pw_buf *out, const struct facts *facts)
{
	pw_buf_puts(out, facts->login);
}

static void put_sender(struct pw_buf *out, const struct facts *facts)
{
	pw_buf_puts(out, facts->sender);
}

static void put_recipient(struct pw_buf *out, const struct facts *facts)
{
	pw_buf_puts(out, facts->recipient);
}

static void put_who(struct pw_buf *out, const struct facts *facts)
{
	pw_buf_puts(out, pw_str_eq(facts->who, PW_STR("*")) ? PW_STR("this server")
	                                                    : facts->who);
}

static void put_client(struct pw_buf *out, const struct facts *facts)
{
	pw_buf_puts(out, facts->client);
}

static void put_reason(struct pw_buf *out, const struct facts *facts)
{
	pw_buf_puts(out, facts->reason);
}

static void put_limit(struct pw_buf *out, const struct facts *facts)
{
	if (facts->rule != NULL)
		pw_buf_put_int(out, facts->rule->rate.limit);
}

static void put_unit(struct pw_buf *out, const struct facts *facts)
{
	const struct catalog_rule *rule = facts->rule;

	if (rule != NULL)
		pw_buf_puts(out,
		            pw_str_from(rule->rate.limit == 1 ? units[rule->unit].one
		                                              : units[rule->unit].many));
}

/* In the largest unit that divides it: "hour", "90 minutes". */
static void put_period(struct pw_buf *out, const struct facts *facts)
{
	int64_t seconds = facts->rule != NULL ? facts->rule->rate.period_us / 1000000 : 1;
	const struct period *period = periods;

	while (seconds % period->seconds != 0)
		period++;
	if (seconds == period->seconds) {
		pw_buf_puts(out, pw_str_from(period->one));
		return;
	}
	pw_buf_put_int(out, seconds / period->seconds);
	pw_buf_putc(out, ' ');
	pw_buf_puts(out, pw_str_from(period->many));
}

/* gmtime_r knows neither the time nor the zone: it is arithmetic. */
static void put_until(struct pw_buf *out, const struct facts *facts)
{
	time_t when = (time_t)facts->until_s;
	struct tm tm = { 0 };

	gmtime_r(&when, &tm);
	pw_buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d UTC", tm.tm_year + 1900,
	              tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_seconds(struct pw_buf *out, const struct facts *facts)
{
	pw_buf_put_int(out, facts->wait_s);
}

/* clang-format off */
static const struct variable {
	struct pw_str name;
	void (*put)(struct pw_buf *out, const struct facts *facts);
} variables[] = {
	{ { "who", 3 },       put_who },
	{ { "login", 5 },     put_login },
	{ { "sender", 6 },    put_sender },
	{ { "recipient", 9 }, put_recipient },
	{ { "client", 6 },    put_client },
	{ { "reason", 6 },    put_reason },
	{ { "limit", 5 },     put_limit },
	{ { "unit", 4 },      put_unit },
	{ { "period", 6 },    put_period },
	{ { "until", 5 },     put_until },
	{ { "seconds", 7 },   put_seconds },
};
/* clang-format on */

static size_t name_length(struct pw_str s)
{
	size_t n = 0;

	while (n < s.len && pw_is_alpha(s.at[n]))
		n++;
	return n;
}

/* What does not name a variable stays as it is. */
static void expand(struct pw_buf *out, struct pw_str text, const struct facts *facts)
{
	while (text.len > 0) {
		size_t dollar = pw_str_find(text, '$'), i = 0;
		struct pw_str name;

		pw_buf_puts(out, pw_str_sub(text, 0, dollar));
		text = pw_str_sub(text, dollar, text.len);
		if (text.len == 0)
			return;
		name = pw_str_sub(text, 1, text.len);
		name.len = name_length(name);
		while (i < PW_LEN(variables) && !pw_str_eq(variables[i].name, name))
			i++;
		if (i < PW_LEN(variables))
			variables[i].put(out, facts);
		else
			pw_buf_puts(out, pw_str_sub(text, 0, 1 + name.len));
		text = pw_str_sub(text, 1 + name.len, text.len);
	}
}

/* Copy at most TEXT_MAX bytes; what is no printable text becomes '?'. Postfix replaces an
 * answer that is not UTF-8 by its default action. */
static void put_clean(struct pw_buf *out, struct pw_str text)
{
	size_t room = TEXT_MAX;

	while (text.len > 0) {
		size_t len = pw_utf8_length(text);
		bool is_plain = len > 1 || (len == 1 && pw_is_print(text.at[0]));

		if (len == 0)
			len = 1;
		if (len > room)
			return;
		pw_buf_puts(out, is_plain ? pw_str_sub(text, 0, len) : PW_STR("?"));
		room -= len;
		text = pw_str_sub(text, len, text.len);
	}
}

/* Of a rule that refuses for ever what could never pass, its own code would say that it
 * is worth another try. */
static void put_codes(struct pw_buf *out, const struct decision *decision)
{
	const struct catalog_rule *rule = decision->breach.rule;
	bool is_reject = decision->verdict == DECIDE_REJECT;

	if (decision->verdict == DECIDE_HOLD)
		pw_buf_puts(out, PW_STR("HOLD"));
	else if (rule != NULL && rule->code.len > 0 &&
	         (decision->cause == CAUSE_RATE || rule->code.at[0] == '5'))
		pw_buf_puts(out, rule->code);
	else if (decision->cause == CAUSE_RATE && is_reject)
		pw_buf_puts(out, PW_STR("554 5.7.1"));
	else if ((decision->cause == CAUSE_LISTED || decision->cause == CAUSE_POSTING) &&
	         !is_reject) /* the database is away: the row may be gone */
		pw_buf_puts(out, PW_STR("450 4.7.1"));
	else
		pw_buf_puts(out, pw_str_from(answers[decision->cause].codes));
}

static struct facts facts_of(const struct decide_breach *breach,
                             const struct request *request, int64_t now_wall_ms)
{
	int64_t wait_ms = (breach->retry_after_us + 999) / 1000;

	return (struct facts){
		.rule = breach->rule,
		.who = breach->who,
		.login = request->login,
		.sender = request->sender,
		.recipient = request->recipient,
		.client = request->client_address,
		.until_s = (now_wall_ms + wait_ms + 999) / 1000,
	};
}

enum pw_status text_answer(struct pw_buf *out, const struct decision *decision,
                           const struct request *request, int64_t now_wall_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	const struct catalog_rule *rule = decision->breach.rule;
	struct facts facts = facts_of(&decision->breach, request, now_wall_ms);
	struct pw_str words = pw_str_from(answers[decision->cause].text);

	facts.reason = decision->reason;
	if (decision->verdict == DECIDE_DUNNO) {
		pw_buf_puts(out, PW_STR("action=DUNNO\n\n"));
		return pw_buf_status(out);
	}
	facts.wait_s = (decision->grey.wait_ms + 999) / 1000;
	if (decision->own_text.len > 0)
		words = decision->own_text;
	else if (rule != NULL && rule->text.len > 0)
		words = rule->text;
	expand(&text, words, &facts);
	pw_buf_puts(out, PW_STR("action="));
	put_codes(out, decision);
	pw_buf_putc(out, ' ');
	put_clean(out, pw_buf_str(&text));
	pw_buf_puts(out, PW_STR("\n\n"));
	return pw_buf_status(&text) != PW_OK ? pw_buf_status(&text) : pw_buf_status(out);
}

enum pw_status text_notice(struct pw_buf *out, struct pw_str text,
                           const struct decide_breach *breach,
                           const struct request *request, int64_t now_wall_ms)
{
	struct facts facts = facts_of(breach, request, now_wall_ms);

	expand(out, text, &facts);
	return pw_buf_status(out);
}

enum pw_status text_event(struct pw_buf *out, const struct catalog_rule *rule,
                          struct pw_str who)
{
	struct facts facts = { .rule = rule, .who = who };

	expand(out, PW_STR("$who: $limit $unit per $period reached"), &facts);
	return pw_buf_status(out);
}

void text_stolen(struct pw_buf *out, const struct stolen_alarm *alarm, int64_t window_ms)
{
	if (alarm->why == STOLEN_VOLUME)
		pw_buf_printf(out, "%lld messages in an hour, %lld in the busiest before",
		              (long long)alarm->count, (long long)alarm->busiest);
	else
		pw_buf_printf(out, "used from %lld networks within %lld minutes",
		              (long long)alarm->count, (long long)(window_ms / 60000));
}
