/* Conversations of tests/scenario/guard, one test a file, against the pure guard. Words
 * of a line are separated by blanks, # begins a comment.
 *
 *   limit KIND FAILURES PERIOD BLOCK [dry] [distinct]
 *                                            what the database holds: KIND network, login
 *                                            or spray, seconds; "exempt NET";
 *   catalog                                  after it that begins anew
 *   nodata | data                            the database was never seen, or was
 *   at TIME DEED [LOGIN] [REMOTE] [PASSWORD] : RESULT
 *                                            TIME in seconds (1.5s); REMOTE - = not
 * known; PASSWORD the number of its hash
 *
 * DEED and its RESULT:
 *   ask                    ok, or "refuse MS"
 *   fail, unknown          the blocks that begin, joined by "; ", or nothing
 *   good                   nothing
 *   ended                  the blocks that ended, or nothing
 *   news                   what other nodes are told, joined by "; ": a subject, its
 *                          count and its block, if there is one
 *   elsewhere KIND WHO N [dry]  N failures counted by another node: the block that begins
 *   blocked KIND WHO N [dry]    a block of another node, N seconds: "new" or nothing
 *   lifted KIND WHO             "gone" or nothing
 *   forget                 all blocks, as before a list of all
 * A block: "network 192.0.2.7/32 failures=3 block=60s", with "dry" at its end in dry
 * run. */
#include "../table.h"

#include <glob.h>
#include <string.h>

#include "core/auth_line.h"
#include "policyd/guard.h"

#define FILES_MAX 100

static const uint8_t seed[16] = { 5 };

struct play {
	const char *file;
	int line;
	struct catalog *catalog;
	const struct catalog *seen; /* it, or NULL */
	struct guard *guard;
	int64_t now_ms;
	struct guard_attempt attempt;
	struct pw_str words; /* after the deed */
	struct pw_buf result;
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

/* ---- what the database holds */

static void do_catalog(struct play *play, struct pw_str rest)
{
	(void)rest;
	catalog_free(&play->catalog);
	CHECK(play, catalog_new(&play->catalog, seed, '+') == PW_OK);
	play->seen = play->catalog;
}

static void do_nodata(struct play *play, struct pw_str rest)
{
	(void)rest;
	play->seen = NULL;
}

static void do_data(struct play *play, struct pw_str rest)
{
	(void)rest;
	play->seen = play->catalog;
}

static void do_limit(struct play *play, struct pw_str rest)
{
	struct pw_str fields[6], word;

	for (size_t i = 0; i < 4; i++)
		fields[i] = next_word(&rest);
	fields[4] = fields[5] = PW_STR("f");
	while ((word = next_word(&rest)).len > 0)
		fields[pw_str_eq(word, PW_STR("dry")) ? 4 : 5] = PW_STR("t");
	CHECK(play, catalog_add(play->catalog, CATALOG_AUTH_LIMITS, fields) == PW_OK);
}

static void do_exempt(struct play *play, struct pw_str rest)
{
	struct pw_str net = next_word(&rest);

	CHECK(play, catalog_add(play->catalog, CATALOG_AUTH_EXEMPTIONS, &net) == PW_OK);
}

/* ---- deeds */

static void put_block(struct play *play, const struct guard_block *block)
{
	struct pw_buf *out = &play->result;

	if (out->len > 0)
		pw_buf_puts(out, PW_STR("; "));
	pw_buf_printf(out, "%s ", catalog_auth_kind_name(block->kind));
	pw_buf_puts(out, block->login);
	if (block->login.len == 0) {
		pw_ip_put(out, block->network.ip);
		pw_buf_printf(out, "/%d", block->network.bits);
	}
	pw_buf_printf(out, " failures=%ld block=%lds", (long)block->failures,
	              (long)(block->block_ms / 1000));
	if (block->is_dry_run)
		pw_buf_puts(out, PW_STR(" dry"));
}

static void ask(struct play *play)
{
	int64_t left_ms =
		guard_ask(play->guard, play->seen, &play->attempt, play->now_ms);

	if (left_ms == 0)
		pw_buf_puts(&play->result, PW_STR("ok"));
	else
		pw_buf_printf(&play->result, "refuse %ld", (long)left_ms);
}

static void count(struct play *play, bool is_login)
{
	struct guard_blocks begun;

	guard_failed(play->guard, &begun, play->seen, &play->attempt, is_login,
	             play->now_ms);
	for (size_t i = 0; i < begun.count; i++)
		put_block(play, &begun.blocks[i]);
}

static void deed_fail(struct play *play)
{
	count(play, true);
}

static void deed_unknown(struct play *play)
{
	count(play, false);
}

static void deed_good(struct play *play)
{
	guard_succeeded(play->guard, &play->attempt, play->now_ms);
}

static void deed_ended(struct play *play)
{
	struct guard_block block;

	while (guard_next_ended(play->guard, &block, play->now_ms))
		put_block(play, &block);
	guard_sweep(play->guard, play->now_ms);
}

/* ---- other nodes */

/* KIND WHO N [dry] */
static struct guard_block read_block(struct play *play)
{
	struct guard_block block = { 0 };
	struct pw_str kind = next_word(&play->words), who = next_word(&play->words);
	struct pw_str number = next_word(&play->words);
	bool is_network = pw_net_parse(&block.network, who) == PW_OK;

	if (!is_network)
		block.login = who;
	while (block.kind < AUTH_KINDS &&
	       !pw_str_eq(kind, pw_str_from(catalog_auth_kind_name(block.kind))))
		block.kind++;
	CHECK(play, block.kind < AUTH_KINDS);
	if (block.kind >= AUTH_RULES && !is_network)
		block.kind = AUTH_LOGIN_BY_HAND;
	if (number.len > 0)
		CHECK(play, pw_str_to_int64(number, 1, 100000, &block.failures) == PW_OK);
	block.block_ms = block.failures * 1000;
	block.is_dry_run = pw_str_eq(next_word(&play->words), PW_STR("dry"));
	return block;
}

static void put_subject(struct play *play, const struct guard_block *block)
{
	struct pw_buf *out = &play->result;

	pw_buf_printf(out, out->len > 0 ? "; %s " : "%s ",
	              catalog_auth_kind_name(block->kind));
	if (block->login.len > 0)
		pw_buf_puts(out, block->login);
	else
		pw_ip_put(out, block->network.ip);
}

static void deed_news(struct play *play)
{
	struct guard_news news;

	while (guard_next_news(play->guard, &news, play->now_ms)) {
		put_subject(play, &news.block);
		pw_buf_printf(&play->result, " count=%ld", (long)news.count);
		if (news.has_block)
			pw_buf_printf(&play->result, " left=%lds%s",
			              (long)(news.left_ms / 1000),
			              news.block.is_dry_run ? " dry" : "");
	}
}

static void deed_elsewhere(struct play *play)
{
	struct guard_block block = read_block(play);

	if (guard_counted(play->guard, &block, play->seen, play->now_ms))
		put_block(play, &block);
}

static void deed_blocked(struct play *play)
{
	struct guard_block block = read_block(play);

	if (guard_take_block(play->guard, &block, play->now_ms))
		pw_buf_puts(&play->result, PW_STR("new"));
}

static void deed_lifted(struct play *play)
{
	struct guard_block block = read_block(play);

	if (guard_lift(play->guard, &block))
		pw_buf_puts(&play->result, PW_STR("gone"));
}

static void deed_forget(struct play *play)
{
	guard_forget_blocks(play->guard);
}

static const struct deed {
	const char *word;
	void (*act)(struct play *play);
	bool reads_words; /* it has no attempt */
} deeds[] = {
	{ "ask", ask, false },
	{ "fail", deed_fail, false },
	{ "unknown", deed_unknown, false },
	{ "good", deed_good, false },
	{ "ended", deed_ended, false },
	{ "news", deed_news, true },
	{ "elsewhere", deed_elsewhere, true },
	{ "blocked", deed_blocked, true },
	{ "lifted", deed_lifted, true },
	{ "forget", deed_forget, true },
};

static int64_t time_of(struct play *play, struct pw_str text)
{
	char room[32];
	double seconds;

	snprintf(room, sizeof(room), "%.*s", PW_FMT(text));
	CHECK(play, sscanf(room, "%lfs", &seconds) == 1);
	return (int64_t)(seconds * 1000 + 0.5);
}

static void read_attempt(struct play *play, struct pw_str *rest)
{
	struct pw_str login = next_word(rest), remote = next_word(rest);
	struct pw_str password = next_word(rest);

	play->attempt = (struct guard_attempt){ .login = login };
	if (remote.len > 0 && !pw_str_eq(remote, PW_STR("-")))
		CHECK(play, pw_ip_parse(&play->attempt.remote, remote) == PW_OK);
	if (password.len > 0)
		CHECK(play, pw_str_to_int64(password, 1, PW_AUTH_PASSWORD_MAX,
		                            &play->attempt.password) == PW_OK);
}

static void do_at(struct play *play, struct pw_str rest)
{
	struct pw_str deed, want;
	size_t i = 0;

	play->now_ms = time_of(play, next_word(&rest));
	deed = next_word(&rest);
	want = rest;
	for (size_t at = 0; at + 1 < rest.len; at++) /* " :" ends the attempt */
		if (rest.at[at] == ':' && (at == 0 || rest.at[at - 1] == ' ') &&
		    (rest.at[at + 1] == ' ')) {
			want = pw_str_sub(rest, at + 1, rest.len);
			rest = pw_str_sub(rest, 0, at);
		}
	if (want.at == rest.at) {
		CHECK(play, rest.len > 0 && rest.at[rest.len - 1] == ':');
		want = PW_STR("");
		rest.len--;
	}
	while (i < PW_LEN(deeds) && !pw_str_eq(pw_str_from(deeds[i].word), deed))
		i++;
	CHECK(play, i < PW_LEN(deeds));
	play->words = rest;
	if (!deeds[i].reads_words)
		read_attempt(play, &rest);
	pw_buf_reset(&play->result);
	deeds[i].act(play);
	if (!pw_str_eq(pw_buf_str(&play->result), pw_str_trim(want))) {
		print_error("%s:%d: it was \"%s\"\n", play->file, play->line,
		            pw_buf_text(&play->result));
		fail();
	}
}

/* ---- files */

static const struct verb {
	const char *word;
	void (*act)(struct play *play, struct pw_str rest);
} verbs[] = {
	{ "catalog", do_catalog }, { "nodata", do_nodata }, { "data", do_data },
	{ "limit", do_limit },     { "exempt", do_exempt }, { "at", do_at },
};

static void play_line(struct play *play, struct pw_str line)
{
	struct pw_str word = next_word(&line);

	if (word.len == 0 || word.at[0] == '#')
		return;
	for (size_t i = 0; i < PW_LEN(verbs); i++)
		if (pw_str_eq(word, pw_str_from(verbs[i].word))) {
			verbs[i].act(play, line);
			return;
		}
	CHECK(play, !"a verb");
}

static void play_file(void **state)
{
	struct play play = { .file = *state };
	FILE *file = fopen(play.file, "r");
	char text[1000];

	assert_non_null(file);
	assert_int_equal(guard_new(&play.guard, seed), PW_OK);
	do_catalog(&play, PW_STR(""));
	while (fgets(text, sizeof(text), file) != NULL) {
		play.line++;
		play_line(&play, pw_str_from(text));
	}
	fclose(file);
	guard_free(&play.guard);
	catalog_free(&play.catalog);
	pw_buf_done(&play.result);
}

int main(void)
{
	struct CMUnitTest tests[FILES_MAX];
	glob_t files;
	int failed;

	assert_int_equal(
		glob(PW_SOURCE_DIR "/tests/scenario/guard/*.txt", 0, NULL, &files), 0);
	assert_in_range(files.gl_pathc, 1, FILES_MAX);
	for (size_t i = 0; i < files.gl_pathc; i++)
		tests[i] =
			(struct CMUnitTest){ strrchr(files.gl_pathv[i], '/') + 1,
			                     play_file, NULL, NULL, files.gl_pathv[i] };
	failed = _cmocka_run_group_tests("guard", tests, files.gl_pathc, NULL, NULL);
	globfree(&files);
	return failed;
}
