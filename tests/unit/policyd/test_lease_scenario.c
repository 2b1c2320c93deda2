/* One counter as one node sees it, from the texts of tests/scenario/lease: the database's
 * answers stand there too. Words are separated by blanks, # begins a comment.
 *
 *   rule LIMIT SECONDS BURST [window] [lax] [open|closed]   link up|away NODES
 *   at TIME take COST taken|empty|wait|closed [late]        what a request gets
 *   at TIME commit USED      at TIME refund TOKENS          of all that was taken
 *   at TIME wait TOKENS      at TIME unwait TOKENS          requests that are held
 *   at TIME ask COST NEED HAVE                              what the database is asked
 *   at TIME hear HELD LASTS BEHIND NEXT                     its answer; LASTS - = nothing
 *   at TIME unheard                                         none came
 *   at TIME later                                           its counter was locked
 *   at TIME left TOKENS      at TIME low yes|no             what it still holds
 *   at TIME back TOKENS      at TIME settle TOKENS LASTS    what it tells; 0 = nothing
 *   at TIME retry SECONDS COST     at TIME over yes|no */
#include "../table.h"

#include <glob.h>
#include <string.h>

#include "policyd/lease.h"

#define FILES_MAX 50
#define START_US ((int64_t)1000 * 1000000)

struct play {
	const char *file;
	int line;
	struct lease lease;
	struct pw_bucket seen;
	struct lease_terms terms;
	struct lease_link link;
	struct lease_loan loan;
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

static int64_t number(struct play *play, struct pw_str *rest)
{
	int64_t n = 0;

	CHECK(play, pw_str_to_int64(next_word(rest), INT64_MIN, INT64_MAX, &n) == PW_OK);
	return n;
}

/* "3s", "200ms" */
static int64_t span_us(struct play *play, struct pw_str text)
{
	bool is_ms = text.len > 2 && text.at[text.len - 2] == 'm';
	int64_t n = 0;

	CHECK(play, text.len > 1 && text.at[text.len - 1] == 's');
	CHECK(play, pw_str_to_int64(pw_str_sub(text, 0, text.len - (is_ms ? 2 : 1)),
	                            INT64_MIN, INT64_MAX, &n) == PW_OK);
	return n * (is_ms ? 1000 : 1000000);
}

static bool is_word(struct pw_str word, const char *text)
{
	return pw_str_eq(word, pw_str_from(text));
}

static void do_rule(struct play *play, struct pw_str rest)
{
	struct lease_terms *terms = &play->terms;

	*terms = (struct lease_terms){ .on_outage = LEASE_SHARE };
	terms->rate.limit = number(play, &rest);
	terms->rate.period_us = number(play, &rest) * 1000000;
	terms->rate.burst = number(play, &rest);
	for (struct pw_str word; (word = next_word(&rest)).len > 0;) {
		terms->is_window |= is_word(word, "window");
		terms->is_lax |= is_word(word, "lax");
		if (is_word(word, "open"))
			terms->on_outage = LEASE_OPEN;
		else if (is_word(word, "closed"))
			terms->on_outage = LEASE_SHUT;
	}
	CHECK(play, pw_rate_valid(&terms->rate));
}

static void do_link(struct play *play, struct pw_str rest)
{
	play->link.is_away = is_word(next_word(&rest), "away");
	play->link.nodes = number(play, &rest);
	play->link.wait_us = 200000;
}

static void do_take(struct play *play, struct pw_str rest)
{
	static const char *const names[] = { "taken", "empty", "wait", "closed" };
	int64_t cost = number(play, &rest);
	struct pw_str want = next_word(&rest);
	enum lease_answer answer =
		lease_take(&play->lease, &play->seen, &play->terms, &play->link, cost,
	                   is_word(next_word(&rest), "late"), &play->loan, play->now_us);

	if (!is_word(want, names[answer]))
		print_error("%s:%d: it was %s\n", play->file, play->line, names[answer]);
	CHECK(play, is_word(want, names[answer]));
}

static void do_commit(struct play *play, struct pw_str rest)
{
	lease_commit(&play->lease, &play->seen, &play->terms, &play->loan,
	             number(play, &rest), play->now_us);
}

static void do_refund(struct play *play, struct pw_str rest)
{
	lease_refund(&play->lease, &play->seen, &play->loan, number(play, &rest));
}

static void do_wait(struct play *play, struct pw_str rest)
{
	int64_t cost = number(play, &rest);

	if (play->lease.least == 0 || cost < play->lease.least)
		play->lease.least = cost;
	play->lease.waiting += cost;
}

static void do_unwait(struct play *play, struct pw_str rest)
{
	play->lease.waiting -= number(play, &rest);
	if (play->lease.waiting == 0)
		play->lease.least = 0;
}

static void do_ask(struct play *play, struct pw_str rest)
{
	struct lease_question question;

	lease_ask(&play->lease, &play->terms, &question, play->now_us);
	CHECK(play, question.cost == number(play, &rest));
	CHECK(play, question.need == number(play, &rest));
	CHECK(play, question.have == number(play, &rest));
}

static void do_hear(struct play *play, struct pw_str rest)
{
	struct lease_grant grant = { .held = number(play, &rest), .until_db = 77 };
	struct pw_str lasts = next_word(&rest);

	grant.lasts_us = is_word(lasts, "-") ? -1 : span_us(play, lasts);
	grant.behind_us = span_us(play, next_word(&rest));
	grant.next_us = span_us(play, next_word(&rest));
	lease_hear(&play->lease, &play->seen, &play->terms, &grant, play->now_us);
}

static void do_unheard(struct play *play, struct pw_str rest)
{
	(void)rest;
	lease_unheard(&play->lease, &play->terms, play->now_us);
}

static void do_later(struct play *play, struct pw_str rest)
{
	(void)rest;
	lease_later(&play->lease, &play->terms, &play->link, play->now_us);
}

static void do_left(struct play *play, struct pw_str rest)
{
	int64_t left = lease_left(&play->lease, &play->terms, play->now_us);
	int64_t want = number(play, &rest);

	if (left != want)
		print_error("%s:%d: %ld are left\n", play->file, play->line, (long)left);
	CHECK(play, left == want);
}

static void do_low(struct play *play, struct pw_str rest)
{
	CHECK(play, lease_is_low(&play->lease, &play->terms, play->now_us) ==
	                    is_word(next_word(&rest), "yes"));
}

static void do_back(struct play *play, struct pw_str rest)
{
	struct lease_delta delta = { 0 };
	int64_t want = number(play, &rest);

	CHECK(play, lease_give_back(&play->lease, &play->seen, &play->terms, &delta,
	                            play->now_us) == (want > 0));
	CHECK(play, delta.back == want);
}

static void do_settle(struct play *play, struct pw_str rest)
{
	struct lease_delta delta = { 0 };
	int64_t want = number(play, &rest);

	CHECK(play, lease_settle(&play->lease, &delta, play->now_us) == (want > 0));
	CHECK(play, delta.used == want);
	if (want > 0)
		CHECK(play, delta.lasts_us == span_us(play, next_word(&rest)));
}

static void do_retry(struct play *play, struct pw_str rest)
{
	int64_t want_us = span_us(play, next_word(&rest));

	CHECK(play, lease_retry_after(&play->lease, &play->seen, &play->terms,
	                              number(play, &rest), play->now_us) == want_us);
}

static void do_over(struct play *play, struct pw_str rest)
{
	CHECK(play, lease_is_over(&play->lease, &play->terms, play->now_us) ==
	                    is_word(next_word(&rest), "yes"));
}

static const struct {
	const char *word;
	void (*act)(struct play *play, struct pw_str rest);
} acts[] = {
	{ "rule", do_rule },     { "link", do_link },     { "take", do_take },
	{ "commit", do_commit }, { "refund", do_refund }, { "wait", do_wait },
	{ "unwait", do_unwait }, { "ask", do_ask },       { "hear", do_hear },
	{ "left", do_left },     { "low", do_low },       { "unheard", do_unheard },
	{ "later", do_later },   { "back", do_back },     { "settle", do_settle },
	{ "retry", do_retry },   { "over", do_over },
};

static void run_line(struct play *play, struct pw_str rest)
{
	struct pw_str word = next_word(&rest);

	if (word.len == 0 || word.at[0] == '#')
		return;
	if (is_word(word, "at")) {
		play->now_us = START_US + span_us(play, next_word(&rest));
		word = next_word(&rest);
	}
	for (size_t i = 0; i < PW_LEN(acts); i++)
		if (is_word(word, acts[i].word)) {
			acts[i].act(play, rest);
			return;
		}
	CHECK(play, !"a word of the scenario language");
}

static void check_file(void **state)
{
	struct play play = { .file = *state, .now_us = START_US };
	char line[500];
	FILE *file = fopen(*state, "re");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		play.line++;
		line[strcspn(line, "\n")] = '\0';
		run_line(&play, pw_str_from(line));
	}
	fclose(file);
}

int main(void)
{
	struct CMUnitTest tests[FILES_MAX];
	glob_t files;
	int failed;

	if (glob(PW_SOURCE_DIR "/tests/scenario/lease/*.txt", 0, NULL, &files) != 0 ||
	    files.gl_pathc > FILES_MAX)
		return 1;
	for (size_t i = 0; i < files.gl_pathc; i++)
		tests[i] =
			(struct CMUnitTest){ strrchr(files.gl_pathv[i], '/') + 1,
			                     check_file, NULL, NULL, files.gl_pathv[i] };
	failed = _cmocka_run_group_tests("lease", tests, files.gl_pathc, NULL, NULL);
	globfree(&files);
	return failed;
}
