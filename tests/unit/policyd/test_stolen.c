/* Conversations of tests/scenario/stolen, one test a file. Words of a line are separated
 * by blanks, # begins a comment.
 *
 *   rule NETWORKS WINDOW_S MESSAGES FACTOR
 *   at TIME LOGIN from ADDRESS        it is used from there
 *   at TIME LOGIN sends COUNT         so many messages; what the last one led to counts
 *   at TIME LOGIN usual COUNT AGE     what was known of its busiest hour, so long ago
 *   expect quiet | networks COUNT LIMIT | volume COUNT LIMIT
 *   place N NETWORK                   the Nth network of the alarm
 *   busiest LOGIN COUNT|nothing       what is to be stored of it now
 *   logins COUNT                      in memory
 * TIME and AGE: 5s, 5m, 5h or 5d; many LOGIN COUNT FROM_TIME makes so many logins. */
#include "../table.h"

#include <glob.h>
#include <string.h>

#include "policyd/stolen.h"

#define FILES_MAX 50

static const uint8_t seed[16] = { 9 };

struct play {
	const char *file;
	int line;
	struct stolen *stolen;
	struct stolen_rule rule;
	struct stolen_alarm alarm;
	bool has_alarm;
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

static int64_t time_ms(struct play *play, struct pw_str text)
{
	static const struct {
		char letter;
		int64_t ms;
	} units[] = {
		{ 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 }
	};

	CHECK(play, text.len > 1);
	for (size_t i = 0; i < PW_LEN(units); i++)
		if (text.at[text.len - 1] == units[i].letter)
			return number(play, pw_str_sub(text, 0, text.len - 1)) *
			       units[i].ms;
	CHECK(play, !"a time");
	return 0;
}

static void do_rule(struct play *play, struct pw_str rest)
{
	play->rule.networks = number(play, next_word(&rest));
	play->rule.window_ms = number(play, next_word(&rest)) * 1000;
	play->rule.messages = number(play, next_word(&rest));
	play->rule.factor = number(play, next_word(&rest));
}

static void do_at(struct play *play, struct pw_str rest)
{
	int64_t now_ms = time_ms(play, next_word(&rest));
	struct pw_str login = next_word(&rest), verb = next_word(&rest),
		      what = next_word(&rest);
	struct pw_ip ip;

	if (pw_str_eq(verb, PW_STR("from"))) {
		CHECK(play, pw_ip_parse(&ip, what) == PW_OK);
		play->has_alarm = stolen_note_client(play->stolen, &play->alarm,
		                                     &play->rule, login, ip, now_ms);
	} else if (pw_str_eq(verb, PW_STR("sends"))) {
		play->has_alarm = false;
		for (int64_t n = number(play, what); n > 0; n--) {
			CHECK(play, !play->has_alarm);
			play->has_alarm = stolen_note_message(play->stolen, &play->alarm,
			                                      &play->rule, login, now_ms);
		}
	} else {
		CHECK(play, pw_str_eq(verb, PW_STR("usual")));
		stolen_set_busiest(play->stolen, login, number(play, what),
		                   time_ms(play, next_word(&rest)), now_ms);
	}
}

static void do_expect(struct play *play, struct pw_str rest)
{
	struct pw_str what = next_word(&rest);

	if (pw_str_eq(what, PW_STR("quiet"))) {
		CHECK(play, !play->has_alarm);
		return;
	}
	CHECK(play, play->has_alarm);
	CHECK(play, pw_str_eq(what, PW_STR("networks"))
	                    ? play->alarm.why == STOLEN_NETWORKS
	                    : play->alarm.why == STOLEN_VOLUME);
	CHECK(play, play->alarm.count == number(play, next_word(&rest)));
	CHECK(play, play->alarm.limit == number(play, next_word(&rest)));
}

static void do_place(struct play *play, struct pw_str rest)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	int64_t n = number(play, next_word(&rest));

	CHECK(play, n >= 1 && n <= (int64_t)play->alarm.network_count);
	pw_net_put(&text, &play->alarm.networks[n - 1]);
	CHECK(play, pw_str_eq(pw_buf_str(&text), next_word(&rest)));
}

static void do_busiest(struct play *play, struct pw_str rest)
{
	struct pw_str login = next_word(&rest), want = next_word(&rest);
	int64_t busiest = -1;

	if (pw_str_eq(want, PW_STR("nothing")))
		CHECK(play, !stolen_tell_busiest(play->stolen, login, &busiest));
	else
		CHECK(play, stolen_tell_busiest(play->stolen, login, &busiest) &&
		                    busiest == number(play, want));
}

static void do_many(struct play *play, struct pw_str rest)
{
	struct pw_str name = next_word(&rest);
	int64_t count = number(play, next_word(&rest));
	int64_t now_ms = time_ms(play, next_word(&rest));
	const struct pw_ip ip = { PW_IP_V4, { 192, 0, 2, 1 } };
	char login[100];

	for (int64_t i = 0; i < count; i++) {
		snprintf(login, sizeof(login), "%.*s%lld", PW_FMT(name), (long long)i);
		CHECK(play, !stolen_note_client(play->stolen, &play->alarm, &play->rule,
		                                pw_str_from(login), ip, now_ms));
	}
}

static void do_logins(struct play *play, struct pw_str rest)
{
	CHECK(play,
	      (int64_t)stolen_count(play->stolen) == number(play, next_word(&rest)));
}

static const struct {
	const char *word;
	void (*act)(struct play *play, struct pw_str rest);
} acts[] = {
	{ "rule", do_rule },     { "at", do_at },           { "expect", do_expect },
	{ "place", do_place },   { "busiest", do_busiest }, { "many", do_many },
	{ "logins", do_logins },
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

static void check_file(void **state)
{
	struct play play = { .file = *state };
	char line[500];
	FILE *file = fopen(*state, "re");

	assert_non_null(file);
	assert_int_equal(stolen_new(&play.stolen, seed), PW_OK);
	while (fgets(line, sizeof(line), file) != NULL) {
		play.line++;
		line[strcspn(line, "\n")] = '\0';
		run_line(&play, pw_str_from(line));
	}
	fclose(file);
	stolen_free(&play.stolen);
}

int main(void)
{
	struct CMUnitTest tests[FILES_MAX];
	glob_t files;
	int failed;

	if (glob(PW_SOURCE_DIR "/tests/scenario/stolen/*.txt", 0, NULL, &files) != 0 ||
	    files.gl_pathc > FILES_MAX)
		return 1;
	for (size_t i = 0; i < files.gl_pathc; i++)
		tests[i] =
			(struct CMUnitTest){ strrchr(files.gl_pathv[i], '/') + 1,
			                     check_file, NULL, NULL, files.gl_pathv[i] };
	failed = _cmocka_run_group_tests("stolen", tests, files.gl_pathc, NULL, NULL);
	globfree(&files);
	return failed;
}
