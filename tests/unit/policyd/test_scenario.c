/* Conversations of tests/scenario/policyd, one test a file, against the pure core:
 * catalog, ledger, usage, decide, text. Words of a line are separated by blanks, # begins
 * a comment.
 *
 *   domain NAME [TARGET]            mailbox ADDRESS [QUOTA [USED ...]] alias SOURCE
 * DESTINATION grace PERCENT sender LOGIN PATTERN            limit ID WHO UNIT LIMIT
 * SECONDS BURST ACTION [dry] [text ...] what the database holds (limit 0 = none); after a
 * line "catalog" it begins anew fresh | stale | nodata          the database is there,
 * away, was never seen commit end-of-message|data|rcpt usage USER BYTES the quota plugin
 * tells account LOGIN may|not [EXPIRES_S] [REASON]   what the account may; 0s = never
 * ends changed TIME LOGIN|@DOMAIN [deleted]         password or rights came TIME LOGIN
 * ADDRESS         Dovecot let it in at TIME [conn=N] [stage=S] [instance=I] [login=L]
 * [from=F] [rcpt=R] [count=N] [size=N] [client=A] [port=N] a question; what is not given
 * stays as it was expect dunno|defer|reject [cause=C] [retry_s=N] [first=yes|no]
 * [dry=yes|no] [warning=N] answer TEXT the whole answer to the question before, without
 * action= close N a connection ends used LOGIN ID N                 tokens of a rule in
 * use, reserved ones included restart buckets are stored and loaded again, connections
 * close */
#include "../table.h"

#include <glob.h>
#include <string.h>

#include "policyd/decide.h"
#include "policyd/text.h"

#define CONNECTIONS_MAX 300
#define FILES_MAX 100
/* 2026-11-21 09:00:00 UTC; both clocks of a scenario start there */
#define START_S ((int64_t)1795251600)

static const uint8_t seed[16] = { 3 };

static const char *const keys[] = { "conn", "stage", "instance", "login",  "from",
	                            "rcpt", "count", "size",     "client", "port" };

struct play {
	const char *file;
	int line;
	struct catalog *catalog;
	struct decide_world world;
	struct usage *usage;
	struct standing *standing;
	struct decide_session sessions[CONNECTIONS_MAX];
	char text[PW_LEN(keys)][200]; /* values of the question, by their place in keys */
	struct request request;
	struct decision decision;
	int64_t now_us;
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
	                       PW_STR("0"), numbers[4] });
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

static void do_limit(struct play *play, struct pw_str rest)
{
	struct pw_str id = next_word(&rest), who = next_word(&rest),
		      unit = next_word(&rest);
	struct pw_str limit = next_word(&rest), period = next_word(&rest);
	struct pw_str burst = next_word(&rest), action = next_word(&rest), more = rest;
	bool is_dry = pw_str_eq(next_word(&more), PW_STR("dry"));

	rest = is_dry ? more : rest;
	more = rest;
	if (pw_str_eq(next_word(&more), PW_STR("text")))
		rest = pw_str_trim(more);
	add(play, CATALOG_RATE_LIMITS,
	    (struct pw_str[]){ id, PW_STR("login"), who, unit, limit, period, burst,
	                       action, rest, is_dry ? PW_STR("t") : PW_STR("f") });
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
	};
	play->world.now_wall_ms = play->now_us / 1000;
	conn = number(play, value(play, "conn"));
	CHECK(play, conn >= 0 && conn < CONNECTIONS_MAX);
	decide(&play->decision, &play->world, &play->sessions[conn], &play->request,
	       play->now_us);
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
	else if (pw_str_eq(key, PW_STR("warning")))
		CHECK(play, decision->warning == number(play, want));
	else
		CHECK(play, !"a fact");
}

static void do_expect(struct play *play, struct pw_str rest)
{
	static const char *const verdicts[] = { "dunno", "defer", "reject" };
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

static void do_used(struct play *play, struct pw_str rest)
{
	struct pw_str login = next_word(&rest);
	int64_t id = number(play, next_word(&rest)),
		want = number(play, next_word(&rest)), used;
	const struct catalog_rule *rules[CATALOG_RULES_MAX];
	size_t count = catalog_rules(play->catalog, login, rules);

	for (size_t i = 0; i < count; i++) {
		struct ledger_account *account;

		if (rules[i]->id != id)
			continue;
		CHECK(play, ledger_open(play->world.ledger, &account, rules[i], login,
		                        play->now_us) == PW_OK);
		used = pw_rate_used(&account->bucket, &account->rate, play->now_us);
		if (used != want)
			print_error("%ld are used\n", (long)used);
		CHECK(play, used == want);
		return;
	}
	CHECK(play, !"a rule of this login");
}

static void close_sessions(struct play *play)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		decide_session_done(&play->world, &play->sessions[i]);
}

/* Only what a commit touched is stored; reserved tokens are gone. */
static void do_restart(struct play *play, struct pw_str rest)
{
	struct ledger *fresh = NULL;
	const struct ledger_account *account;

	(void)rest;
	close_sessions(play);
	CHECK(play, ledger_new(&fresh, seed, 1000) == PW_OK);
	while ((account = ledger_next_changed(play->world.ledger)) != NULL)
		CHECK(play,
		      ledger_restore(fresh, account->rule_id, account->who,
		                     account->bucket.full_at_us, play->now_us) == PW_OK);
	ledger_free(&play->world.ledger);
	play->world.ledger = fresh;
}

static const struct {
	const char *word;
	void (*act)(struct play *play, struct pw_str rest);
} acts[] = {
	{ "catalog", do_catalog }, { "domain", do_domain },   { "mailbox", do_mailbox },
	{ "alias", do_alias },     { "sender", do_sender },   { "limit", do_limit },
	{ "fresh", do_fresh },     { "stale", do_stale },     { "nodata", do_nodata },
	{ "commit", do_commit },   { "usage", do_usage },     { "at", do_at },
	{ "expect", do_expect },   { "answer", do_answer },   { "close", do_close },
	{ "used", do_used },       { "restart", do_restart }, { "account", do_account },
	{ "changed", do_changed }, { "came", do_came },       { "grace", do_grace },
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
	play->world.usage = play->usage;
	play->world.standing = play->standing;
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
