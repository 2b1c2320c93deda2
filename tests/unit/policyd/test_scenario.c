/* Conversations of tests/scenario/policyd, one test a file, against the pure core:
 * catalog, rules, ledger, usage, decide, text. Words of a line are separated by blanks, #
 * begins a comment.
 *
 * What the database holds (limit 0 = none); after a line "catalog" it begins anew:
 *   domain NAME [TARGET]
 *   mailbox ADDRESS [QUOTA [USED ...]]
 *   alias SOURCE DESTINATION
 *   grace PERCENT
 *   sender LOGIN PATTERN
 *   limit ID WHO UNIT LIMIT SECONDS BURST ACTION [dry] [text ...]
 *   rule ID LIMIT/SECONDS [COLUMN=VALUE] ... [text ...]
 *                        columns of mail.rate_limits, a comma in key for a blank
 *   exempt COLUMN=VALUE ...
 *   account LOGIN may|not [EXPIRES_S] [REASON]      0s = never ends
 *   suspended LOGIN UNTIL
 * fresh | stale | nodata       the database is there, away, was never seen
 * commit end-of-message|data|rcpt
 * usage USER BYTES             the quota plugin tells
 * changed TIME LOGIN|@DOMAIN [deleted]            password or rights
 * came TIME LOGIN ADDRESS      Dovecot let it in
 * at TIME [conn=N] [stage=S] [instance=I] [login=L] [from=F] [rcpt=R] [count=N] [size=N]
 *    [client=A] [port=N] [name=N] [context=C] [service=P]
 *                        a question; what is not given stays as it was
 * expect dunno|defer|reject|hold [cause=C] [retry_s=N] [first=yes|no] [dry=yes|no]
 *    [warning=N] [rule=N] [who=W] [block_s=N]
 * answer TEXT                  the whole answer to the question before, without action=
 * close N                      a connection ends
 * used WHO ID N                tokens of a rule in use, reserved ones included; ~ in WHO
 *                              for a blank
 * over WHO ID N                attempts over the limit since the last event
 * reset WHO|* ID               a counter set to zero
 * clock SECONDS                the monotonic clock steps by that (it should not)
 * list ID WHO KIND PATTERN allow|deny [logins] [wait] [nolimits] [dry] [until=S] [text
 * ...] right ID ALIAS LEVEL [trust] [dry] [by=WHO,WHO] [text ...] setting NAME VALUE of
 * greylisting greylist known|unknown       what is stored has come in, or not row CLIENT
 * SENDER RECIPIENT FIRST_S PASSED_S PASSES     what is stored */
#include "../table.h"

#include <glob.h>
#include <string.h>

#include "policyd/decide.h"
#include "policyd/text.h"

#define CONNECTIONS_MAX 300
#define FILES_MAX 150
/* 2026-11-21 09:00:00 UTC; both clocks of a scenario start there */
#define START_S ((int64_t)1795251600)

static const uint8_t seed[16] = { 3 };

static const char *const keys[] = { "conn", "stage",   "instance", "login",  "from",
	                            "rcpt", "count",   "size",     "client", "port",
	                            "name", "context", "service" };

struct play {
	const char *file;
	int line;
	struct catalog *catalog;
	struct decide_world world;
	struct usage *usage;
	struct standing *standing;
	struct blocks *blocks;
	struct decide_session sessions[CONNECTIONS_MAX];
	char text[PW_LEN(keys)][200]; /* values of the question, by their place in keys */
	struct request request;
	struct decision decision;
	int64_t now_us, step_us;
};

#define CHECK(play, claim)                                                               \
	do {                                                                             \
		if (!(claim)) {                                                          \
			print_error("%s:%d: %s\n", (play)->file, (play)->line, #claim);  \
			fail();                                                          \
		}                                                                        \
	} while (0)

static struct pw_str next_word(struct pw_str *rest)
{
	*rest = pw_str_trim(*rest);
	return pw_str_cut(rest, ' ');
}

static int64_t number(struct play *play, struct pw_str text)
{
	int64_t n = 0;

	CHECK(play, pw_str_to_int64(text, INT64_MIN, INT64_MAX, &n) == PW_OK);
	return n;
}

static void add(struct play *play, enum catalog_table table, const struct pw_str *fields)
{
	CHECK(play, catalog_add(play->catalog, table, fields) == PW_OK);
}

static void do_catalog(struct play *play, struct pw_str rest)
{
	(void)rest;
	catalog_free(&play->catalog);
	CHECK(play, catalog_new(&play->catalog, seed, '+') == PW_OK);
	play->world.catalog = play->catalog;
	play->world.is_fresh = true;
	usage_rebase(play->usage, play->catalog);
}

static void do_domain(struct play *play, struct pw_str rest)
{
	struct pw_str name = next_word(&rest), target = next_word(&rest);

	add(play, CATALOG_DOMAINS, (struct pw_str[]){ name, target });
}

/* Its quota, used bytes, quota of messages, used messages, quota of the domain. */
static void do_mailbox(struct play *play, struct pw_str rest)
{
	struct pw_str name = next_word(&rest), numbers[5];

	for (size_t i = 0; i < PW_LEN(numbers); i++) {
		numbers[i] = next_word(&rest);
		if (numbers[i].len == 0)
			numbers[i] = PW_STR("0");
	}
	add(play, CATALOG_ADDRESSES, (struct pw_str[]){ name, PW_STR("mailbox") });
	add(play, CATALOG_SENDERS, (struct pw_str[]){ name, name });
	add(play, CATALOG_QUOTAS,
	    (struct pw_str[]){ name, numbers[0], numbers[1], numbers[2], numbers[3],
	                       PW_STR("0"), numbers[4], PW_STR("t") });
}

static void do_grace(struct play *play, struct pw_str rest)
{
	add(play, CATALOG_SETTINGS,
	    (struct pw_str[]){ PW_STR("quota_grace_percent"), next_word(&rest) });
}

static void do_alias(struct play *play, struct pw_str rest)
{
	struct pw_str source = next_word(&rest);

	add(play, CATALOG_ALIASES, (struct pw_str[]){ source, next_word(&rest) });
}

static void do_sender(struct play *play, struct pw_str rest)
{
	struct pw_str login = next_word(&rest);

	add(play, CATALOG_SENDERS, (struct pw_str[]){ login, next_word(&rest) });
}

/* Columns of a limit and of an exemption, in the order of their statements. */
static const char *const columns[] = {
	"id",          "key",       "who",
	"unit",        "kind",      "limit_count",
	"period_s",    "burst",     "action",
	"code",        "text",      "block_s",
	"dry_run",     "on_outage", "strict",
	"priority",    "inherit",   "prefix4",
	"prefix6",     "tell",      "authenticated",
	"login",       "sender",    "client",
	"client_name", "recipient", "policy_context",
	"server_port",
};
_Static_assert(PW_LEN(columns) == RULES_COLUMNS, "the columns of RULES_SQL");
#define FIRST_OF_EXEMPTION (RULES_COLUMNS - RULES_EXEMPTION_COLUMNS)

static struct pw_str *column(struct play *play, struct pw_str *fields, struct pw_str name)
{
	for (size_t i = 0; i < PW_LEN(columns); i++)
		if (pw_str_eq(pw_str_from(columns[i]), name))
			return &fields[i];
	CHECK(play, !"a column");
	return fields;
}

static void set_column(struct play *play, struct pw_str *fields, const char *name,
                       struct pw_str value)
{
	*column(play, fields, pw_str_from(name)) = value;
}

static void set_defaults(struct play *play, struct pw_str *fields)
{
	static const char *const defaults[][2] = {
		{ "key", "login" },   { "who", "*" },           { "unit", "messages" },
		{ "kind", "bucket" }, { "action", "defer" },    { "block_s", "3600" },
		{ "dry_run", "f" },   { "on_outage", "share" }, { "strict", "t" },
		{ "priority", "0" },  { "inherit", "f" },       { "prefix4", "32" },
		{ "prefix6", "64" },  { "tell", "nobody" },
	};

	for (size_t i = 0; i < PW_LEN(defaults); i++)
		set_column(play, fields, defaults[i][0], pw_str_from(defaults[i][1]));
}

/* Take the COLUMN=VALUE words off rest; a comma stands for a blank where one may be. */
static void take_columns(struct play *play, struct pw_str *fields, struct pw_str *rest,
                         char *key, size_t key_room)
{
	struct pw_str more = *rest, word = next_word(&more);

	for (; word.len > 0 && pw_str_find(word, '=') < word.len;
	     word = next_word(&more)) {
		struct pw_str name = pw_str_cut(&word, '=');

		*rest = more;
		*column(play, fields, name) = word;
		if (!pw_str_eq(name, PW_STR("key")))
			continue;
		CHECK(play, word.len < key_room);
		snprintf(key, key_room, "%.*s", PW_FMT(word));
		for (char *c = key; *c != '\0'; c++)
			*c = *c == ',' ? ' ' : *c;
		*column(play, fields, name) = pw_str_from(key);
	}
}

static struct pw_str text_of(struct pw_str rest)
{
	struct pw_str more = rest;

	return pw_str_eq(next_word(&more), PW_STR("text")) ? pw_str_trim(more) : rest;
}

static void do_limit(struct play *play, struct pw_str rest)
{
	static const char *const given[] = { "id",       "who",   "unit",  "limit_count",
		                             "period_s", "burst", "action" };
	struct pw_str fields[RULES_COLUMNS] = { { NULL, 0 } }, more;

	set_defaults(play, fields);
	for (size_t i = 0; i < PW_LEN(given); i++)
		set_column(play, fields, given[i], next_word(&rest));
	more = rest;
	if (pw_str_eq(next_word(&more), PW_STR("dry"))) {
		set_column(play, fields, "dry_run", PW_STR("t"));
		rest = more;
	}
	set_column(play, fields, "text", text_of(rest));
	add(play, CATALOG_RATE_LIMITS, fields);
}

static void do_rule(struct play *play, struct pw_str rest)
{
	struct pw_str fields[RULES_COLUMNS] = { { NULL, 0 } }, rate;
	char key[100] = "";

	set_defaults(play, fields);
	set_column(play, fields, "id", next_word(&rest));
	rate = next_word(&rest);
	set_column(play, fields, "limit_count", pw_str_cut(&rate, '/'));
	set_column(play, fields, "period_s", rate);
	take_columns(play, fields, &rest, key, sizeof(key));
	set_column(play, fields, "text", text_of(pw_str_trim(rest)));
	add(play, CATALOG_RATE_LIMITS, fields);
}

static void do_exempt(struct play *play, struct pw_str rest)
{
	struct pw_str fields[RULES_COLUMNS] = { { NULL, 0 } };
	char key[100] = "";

	take_columns(play, fields, &rest, key, sizeof(key));
	add(play, CATALOG_RATE_EXEMPTIONS, fields + FIRST_OF_EXEMPTION);
}

/* Is the next word this one? Then take it off. */
static bool takes(struct pw_str *rest, const char *word)
{
	struct pw_str more = *rest;

	if (!pw_str_eq(next_word(&more), pw_str_from(word)))
		return false;
	*rest = more;
	return true;
}

static struct pw_str flag(bool is_set)
{
	return is_set ? PW_STR("t") : PW_STR("f");
}

static int64_t time_of(struct play *play, struct pw_str text);

static void do_list(struct play *play, struct pw_str rest)
{
	struct pw_str id = next_word(&rest), who = next_word(&rest);
	struct pw_str kind = next_word(&rest), pattern = next_word(&rest);
	struct pw_str action = next_word(&rest), expires = { NULL, 0 };
	bool is_for_logins = takes(&rest, "logins"), waits = takes(&rest, "wait");
	bool skips_limits = takes(&rest, "nolimits"), is_dry = takes(&rest, "dry");
	char end[30];

	if (pw_str_starts(pw_str_trim(rest), PW_STR("until="))) {
		struct pw_str word = next_word(&rest);

		snprintf(
			end, sizeof(end), "%lld",
			(long long)(START_S * 1000 +
		                    time_of(play, pw_str_sub(word, 6, word.len)) / 1000));
		expires = pw_str_from(end);
	}
	rest = takes(&rest, "text") ? pw_str_trim(rest) : PW_STR("");
	add(play, CATALOG_ACCESS_LISTS,
	    (struct pw_str[]){ id, who, kind, pattern, action, rest, flag(is_for_logins),
	                       flag(!waits), flag(skips_limits), expires, flag(is_dry) });
}

static void do_right(struct play *play, struct pw_str rest)
{
	struct pw_str id = next_word(&rest), alias = next_word(&rest);
	struct pw_str level = next_word(&rest), moderators = PW_STR("");
	bool trusts = takes(&rest, "trust"), is_dry = takes(&rest, "dry");
	char lines[200] = "";

	if (pw_str_starts(pw_str_trim(rest), PW_STR("by="))) {
		struct pw_str word = next_word(&rest);

		snprintf(lines, sizeof(lines), "%.*s",
		         PW_FMT(pw_str_sub(word, 3, word.len)));
		for (char *c = lines; *c != '\0'; c++)
			*c = *c == ',' ? '\n' : *c;
		moderators = pw_str_from(lines);
	}
	rest = takes(&rest, "text") ? pw_str_trim(rest) : PW_STR("");
	add(play, CATALOG_POSTING_RIGHTS,
	    (struct pw_str[]){ alias, level, moderators, flag(trusts), rest, flag(is_dry),
	                       id });
}

static void do_setting(struct play *play, struct pw_str rest)
{
	struct pw_str name = next_word(&rest);

	add(play, CATALOG_ACCESS_SETTINGS, (struct pw_str[]){ name, next_word(&rest) });
}

static void do_greylist(struct play *play, struct pw_str rest)
{
	play->world.knows_grey = takes(&rest, "known");
}

static int64_t moment_ms(struct play *play, struct pw_str text);

static void do_row(struct play *play, struct pw_str rest)
{
	struct grey_row row = { .client = next_word(&rest) };
	struct pw_str passed;

	row.sender = next_word(&rest);
	row.recipient = next_word(&rest);
	row.record.first_ms = moment_ms(play, next_word(&rest));
	passed = next_word(&rest);
	row.record.passed_ms =
		pw_str_eq(passed, PW_STR("-")) ? 0 : moment_ms(play, passed);
	row.record.passes = number(play, next_word(&rest));
	grey_take(play->world.grey, &catalog_access_settings(play->catalog)->greylist,
	          &row);
}

static void do_fresh(struct play *play, struct pw_str rest)
{
	(void)rest;
	play->world.is_fresh = true;
	play->world.catalog = play->catalog;
}

static void do_stale(struct play *play, struct pw_str rest)
{
	(void)rest;
	play->world.is_fresh = false;
}

static void do_nodata(struct play *play, struct pw_str rest)
{
	do_stale(play, rest);
	play->world.catalog = NULL;
}

static enum request_stage stage_of(struct play *play, struct pw_str name)
{
	for (enum request_stage stage = 0; stage < STAGE_IDS; stage++)
		if (pw_str_eq_nocase(name, pw_str_from(request_stage_name(stage))))
			return stage;
	CHECK(play, !"a stage");
	return STAGE_OTHER;
}

static void do_commit(struct play *play, struct pw_str rest)
{
	play->world.commit_stage = stage_of(play, next_word(&rest));
}

static void do_usage(struct play *play, struct pw_str rest)
{
	const struct catalog_entry *mailbox =
		catalog_find(play->catalog, next_word(&rest));
	struct usage_count count = { number(play, next_word(&rest)), 1, play->now_us };
	struct pw_str messages = next_word(&rest);

	CHECK(play, mailbox != NULL);
	if (messages.len > 0)
		count.messages = number(play, messages);
	CHECK(play, usage_set(play->usage, mailbox, &count) == PW_OK);
}

static int64_t time_of(struct play *play, struct pw_str text)
{
	CHECK(play, text.len > 1 && text.at[text.len - 1] == 's');
	return number(play, pw_str_sub(text, 0, text.len - 1)) * 1000000;
}

static void do_account(struct play *play, struct pw_str rest)
{
	struct pw_str login = next_word(&rest), may = next_word(&rest),
		      expires = next_word(&rest);
	char end[30] = "";

	if (expires.len > 0 && !pw_str_eq(expires, PW_STR("0s")))
		snprintf(end, sizeof(end), "%lld",
		         (long long)(START_S * 1000 + time_of(play, expires) / 1000));
	add(play, CATALOG_LOGINS,
	    (struct pw_str[]){
		    login, pw_str_eq(may, PW_STR("may")) ? PW_STR("t") : PW_STR("f"),
		    rest,
		    end[0] != '\0' ? pw_str_from(end) : (struct pw_str){ NULL, 0 } });
}

static void do_suspended(struct play *play, struct pw_str rest)
{
	struct pw_str login = next_word(&rest);
	char end[30];

	snprintf(end, sizeof(end), "%lld",
	         (long long)(START_S * 1000 + time_of(play, next_word(&rest)) / 1000));
	add(play, CATALOG_SENDING_BLOCKS, (struct pw_str[]){ login, pw_str_from(end) });
}

static int64_t moment_ms(struct play *play, struct pw_str text)
{
	return START_S * 1000 + time_of(play, text) / 1000;
}

static void do_changed(struct play *play, struct pw_str rest)
{
	int64_t now_ms = moment_ms(play, next_word(&rest));
	struct pw_str login = next_word(&rest);

	standing_note_change(play->standing, login,
	                     pw_str_eq(next_word(&rest), PW_STR("deleted")), now_ms);
}

static void do_came(struct play *play, struct pw_str rest)
{
	int64_t now_ms = moment_ms(play, next_word(&rest));
	struct pw_str login = next_word(&rest);

	standing_note_login(play->standing, login, next_word(&rest), now_ms);
}

static size_t place(struct play *play, struct pw_str key)
{
	size_t i = 0;

	while (i < PW_LEN(keys) && !pw_str_eq(pw_str_from(keys[i]), key))
		i++;
	CHECK(play, i < PW_LEN(keys));
	return i;
}

static struct pw_str value(struct play *play, const char *key)
{
	return pw_str_from(play->text[place(play, pw_str_from(key))]);
}

static void set_value(struct play *play, struct pw_str key, struct pw_str text)
{
	char *room = play->text[place(play, key)];

	CHECK(play, text.len < sizeof(play->text[0]));
	snprintf(room, sizeof(play->text[0]), "%.*s", PW_FMT(text));
}

static void do_at(struct play *play, struct pw_str rest)
{
	int64_t conn;

	play->now_us = START_S * 1000000 + time_of(play, next_word(&rest));
	for (struct pw_str word; (word = next_word(&rest)).len > 0;) {
		struct pw_str key = pw_str_cut(&word, '=');

		set_value(play, key, word);
	}
	play->request = (struct request){
		.stage = stage_of(play, value(play, "stage")),
		.instance = value(play, "instance"),
		.login = value(play, "login"),
		.sender = value(play, "from"),
		.recipient = value(play, "rcpt"),
		.recipient_count = number(play, value(play, "count")),
		.size_bytes = number(play, value(play, "size")),
		.client_address = value(play, "client"),
		.client_port = number(play, value(play, "port")),
		.client_name = value(play, "name"),
		.context = value(play, "context"),
		.server_port = value(play, "service"),
	};
	play->world.now_wall_ms = play->now_us / 1000;
	conn = number(play, value(play, "conn"));
	CHECK(play, conn >= 0 && conn < CONNECTIONS_MAX);
	play->now_us += play->step_us;
	blocks_follow(play->blocks, play->catalog, play->world.now_wall_ms);
	decide(&play->decision, &play->world, &play->sessions[conn], &play->request,
	       play->now_us);
}

/* ~ in want is a blank. */
static bool is_named(struct pw_str who, struct pw_str want)
{
	if (who.len != want.len)
		return false;
	for (size_t i = 0; i < who.len; i++)
		if (who.at[i] != (want.at[i] == '~' ? ' ' : want.at[i]))
			return false;
	return true;
}

static void expect_one(struct play *play, struct pw_str key, struct pw_str want)
{
	const struct decision *decision = &play->decision;
	const struct decide_breach *breach =
		decision->dry_run.rule != NULL ? &decision->dry_run : &decision->breach;

	if (pw_str_eq(key, PW_STR("cause")))
		CHECK(play,
		      pw_str_eq(pw_str_from(decide_cause_name(decision->cause)), want));
	else if (pw_str_eq(key, PW_STR("retry_s")))
		CHECK(play,
		      (breach->retry_after_us + 999999) / 1000000 == number(play, want));
	else if (pw_str_eq(key, PW_STR("first")))
		CHECK(play, breach->is_first == pw_str_eq(want, PW_STR("yes")));
	else if (pw_str_eq(key, PW_STR("dry")))
		CHECK(play,
		      (decision->dry_run.rule != NULL) == pw_str_eq(want, PW_STR("yes")));
	else if (pw_str_eq(key, PW_STR("rule")))
		CHECK(play,
		      breach->rule != NULL && breach->rule->id == number(play, want));
	else if (pw_str_eq(key, PW_STR("who")))
		CHECK(play, is_named(breach->who, want));
	else if (pw_str_eq(key, PW_STR("block_s")))
		CHECK(play, decision->blocked_until_ms ==
		                    (want.at[0] != '0' ? play->world.now_wall_ms : 0) +
		                            number(play, want) * 1000);
	else if (pw_str_eq(key, PW_STR("trial")))
		CHECK(play,
		      pw_str_eq(pw_str_from(decide_cause_name(decision->trial.cause)),
		                want));
	else if (pw_str_eq(key, PW_STR("row")))
		CHECK(play,
		      (decision->trial.row != 0 ? decision->trial.row : decision->row) ==
		              number(play, want));
	else if (pw_str_eq(key, PW_STR("wait_s")))
		CHECK(play, (decision->grey.wait_ms + 999) / 1000 == number(play, want));
	else if (pw_str_eq(key, PW_STR("stores")))
		CHECK(play, (int64_t)decision->grey.row_count == number(play, want));
	else if (pw_str_eq(key, PW_STR("warning")))
		CHECK(play, decision->warning == number(play, want));
	else
		CHECK(play, !"a fact");
}

static void do_expect(struct play *play, struct pw_str rest)
{
	static const char *const verdicts[] = { "dunno", "defer", "reject", "hold" };
	const char *verdict = verdicts[play->decision.verdict];

	if (!pw_str_eq(pw_str_from(verdict), next_word(&rest))) {
		print_error("%s:%d: it was %s, cause %s\n", play->file, play->line,
		            verdict, decide_cause_name(play->decision.cause));
		fail();
	}
	for (struct pw_str word; (word = next_word(&rest)).len > 0;) {
		struct pw_str key = pw_str_cut(&word, '=');

		expect_one(play, key, word);
	}
}

static void do_answer(struct play *play, struct pw_str rest)
{
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 }, want = { 0 };

	CHECK(play, text_answer(&got, &play->decision, &play->request,
	                        play->now_us / 1000) == PW_OK);
	pw_buf_printf(&want, "action=%.*s\n\n", PW_FMT(rest));
	assert_string_equal(pw_buf_text(&got), pw_buf_text(&want));
}

static void do_close(struct play *play, struct pw_str rest)
{
	decide_session_done(&play->world,
	                    &play->sessions[number(play, next_word(&rest))]);
}

static struct ledger_account *account_of(struct play *play, struct pw_str *rest)
{
	struct pw_str name = next_word(rest);
	const struct catalog_rule *rule =
		rules_find(catalog_rules(play->catalog), number(play, next_word(rest)));
	struct ledger_account *account = NULL;
	char who[300];

	CHECK(play, rule != NULL && name.len < sizeof(who));
	snprintf(who, sizeof(who), "%.*s", PW_FMT(name));
	for (char *c = who; *c != '\0'; c++)
		*c = *c == '~' ? ' ' : *c;
	CHECK(play, ledger_open(play->world.ledger, &account, rule, pw_str_from(who),
	                        play->now_us) == PW_OK);
	return account;
}

static void do_used(struct play *play, struct pw_str rest)
{
	const struct ledger_account *account = account_of(play, &rest);
	int64_t used = account_used(account, play->now_us);
	int64_t want = number(play, next_word(&rest));

	if (used != want)
		print_error("%ld are used\n", (long)used);
	CHECK(play, used == want);
}

static void do_over(struct play *play, struct pw_str rest)
{
	const struct ledger_account *account = account_of(play, &rest);
	int64_t over = account->more != NULL ? account->more->over_count : 0;

	CHECK(play, over == number(play, next_word(&rest)));
}

static void do_reset(struct play *play, struct pw_str rest)
{
	struct pw_str who = next_word(&rest);

	if (pw_str_eq(who, PW_STR("*")))
		who = PW_STR("");
	ledger_reset(play->world.ledger, number(play, next_word(&rest)), who);
}

static void do_clock(struct play *play, struct pw_str rest)
{
	play->step_us += number(play, next_word(&rest)) * 1000000;
}

static void close_sessions(struct play *play)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		decide_session_done(&play->world, &play->sessions[i]);
}

static const struct {
	const char *word;
	void (*act)(struct play *play, struct pw_str rest);
} acts[] = {
	{ "catalog", do_catalog },     { "domain", do_domain },
	{ "mailbox", do_mailbox },     { "alias", do_alias },
	{ "sender", do_sender },       { "limit", do_limit },
	{ "fresh", do_fresh },         { "stale", do_stale },
	{ "nodata", do_nodata },       { "commit", do_commit },
	{ "usage", do_usage },         { "at", do_at },
	{ "expect", do_expect },       { "answer", do_answer },
	{ "close", do_close },         { "used", do_used },
	{ "account", do_account },
	{ "changed", do_changed },     { "came", do_came },
	{ "grace", do_grace },         { "rule", do_rule },
	{ "exempt", do_exempt },       { "over", do_over },
	{ "reset", do_reset },         { "clock", do_clock },
	{ "suspended", do_suspended }, { "list", do_list },
	{ "right", do_right },         { "setting", do_setting },
	{ "greylist", do_greylist },   { "row", do_row },
};

static void run_line(struct play *play, struct pw_str rest)
{
	struct pw_str word = next_word(&rest);

	if (word.len == 0 || word.at[0] == '#')
		return;
	for (size_t i = 0; i < PW_LEN(acts); i++)
		if (pw_str_eq(pw_str_from(acts[i].word), word)) {
			acts[i].act(play, rest);
			return;
		}
	CHECK(play, !"a word of the scenario language");
}

static void begin(struct play *play, const char *file)
{
	play->file = file;
	play->world.commit_stage = STAGE_END_OF_MESSAGE;
	assert_int_equal(ledger_new(&play->world.ledger, seed, 1000), PW_OK);
	assert_int_equal(usage_new(&play->usage, seed), PW_OK);
	assert_int_equal(standing_new(&play->standing, seed), PW_OK);
	assert_int_equal(blocks_new(&play->blocks, seed), PW_OK);
	play->world.usage = play->usage;
	play->world.standing = play->standing;
	play->world.blocks = play->blocks;
	assert_int_equal(grey_new(&play->world.grey, seed), PW_OK);
	play->world.knows_grey = true;
	do_catalog(play, PW_STR(""));
	set_value(play, PW_STR("conn"), PW_STR("1"));
	set_value(play, PW_STR("stage"), PW_STR("RCPT"));
	set_value(play, PW_STR("count"), PW_STR("0"));
	set_value(play, PW_STR("size"), PW_STR("0"));
	set_value(play, PW_STR("client"), PW_STR("192.0.2.7"));
	set_value(play, PW_STR("port"), PW_STR("1000"));
}

static void check_file(void **state)
{
	static struct play play;
	char line[500];
	FILE *file = fopen(*state, "re");

	assert_non_null(file);
	play = (struct play){ .line = 0 };
	begin(&play, *state);
	while (fgets(line, sizeof(line), file) != NULL) {
		play.line++;
		line[strcspn(line, "\n")] = '\0';
		run_line(&play, pw_str_from(line));
	}
	fclose(file);
	close_sessions(&play);
	catalog_free(&play.catalog);
	usage_free(&play.usage);
	standing_free(&play.standing);
	blocks_free(&play.blocks);
	grey_free(&play.world.grey);
	ledger_free(&play.world.ledger);
}

int main(void)
{
	struct CMUnitTest tests[FILES_MAX];
	glob_t files;
	int failed;

	if (glob(PW_SOURCE_DIR "/tests/scenario/policyd/*.txt", 0, NULL, &files) != 0 ||
	    files.gl_pathc > FILES_MAX)
		return 1;
	for (size_t i = 0; i < files.gl_pathc; i++)
		tests[i] =
			(struct CMUnitTest){ strrchr(files.gl_pathv[i], '/') + 1,
			                     check_file, NULL, NULL, files.gl_pathv[i] };
	failed = _cmocka_run_group_tests("scenario", tests, files.gl_pathc, NULL, NULL);
	globfree(&files);
	return failed;
}
