/* postwardctl dkim new: ask postward-dkim for keys, wait, print what DNS must say. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "core/base.h"
#include "io/clock.h"
#include "tools/command.h"
#include "tools/database.h"
#include "tools/dkim/verbs.h"
#include "tools/json.h"
#include "tools/options.h"

#define TIMEOUT_MS_DEFAULT 60000
#define LOOK_EVERY_MS 200
#define KEYS_MAX 2

const char dkim_new_usage[] =
	"usage: postwardctl dkim new DOMAIN [OPTION...]\n"
	"Asks postward-dkim for new keys and prints their DNS records.\n"
	"  --algorithm A        rsa, ed25519 or both (default): one key each\n"
	"  --selector S         name of the key in DNS; only with one algorithm\n"
	"  --database CONNINFO  libpq string; default: setting database\n"
	"  --timeout MS         longest wait; default 60000\n"
	"  --json               {\"domain\", \"keys\": [{\"selector\", \"algorithm\",\n"
	"                       \"name\", \"record\"}]}\n";

static const struct choice {
	const char *name;
	const char *algorithms[KEYS_MAX];
} choices[] = {
	{ "both", { "rsa-sha256", "ed25519-sha256" } },
	{ "rsa", { "rsa-sha256", NULL } },
	{ "ed25519", { "ed25519-sha256", NULL } },
};

struct options {
	const char *domain, *selector, *database;
	const struct choice *choice;
	bool is_json;
	int64_t timeout_ms;
};

/* The keys asked for. */
struct ask {
	const struct options *opt;
	struct pw_db_session *session;
	int64_t deadline_ms;
	struct pw_db_result *requests[KEYS_MAX]; /* id */
	struct pw_db_result *answers[KEYS_MAX];  /* state, error, selector, name, value */
	size_t count;
};

enum { ANSWER_STATE, ANSWER_ERROR, ANSWER_SELECTOR, ANSWER_NAME, ANSWER_VALUE };

static void ask_done(struct ask *ask)
{
	for (size_t i = 0; i < ask->count; i++) {
		pw_db_result_free(&ask->requests[i]);
		pw_db_result_free(&ask->answers[i]);
	}
	pw_db_session_close(&ask->session);
}

/* Insert the rows that ask, all or none; SQL finds a selector where none was given. */
static int file_requests(struct ask *ask)
{
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *begun = tool_query(ask->session, "BEGIN", 0, NULL);
	PW_AUTO(pw_db_result_free) struct pw_db_result *committed = NULL;

	if (!begun)
		return EXIT_PROBLEMS;
	for (size_t i = 0; i < KEYS_MAX && ask->opt->choice->algorithms[i]; i++) {
		const char *values[] = { ask->opt->domain,
			                 ask->opt->choice->algorithms[i],
			                 ask->opt->selector };

		ask->requests[i] = tool_query(
			ask->session,
			"INSERT INTO mail.dkim_requests (domain, algorithm, selector) "
			"VALUES ($1, $2, $3) RETURNING id",
			3, values);
		if (!ask->requests[i])
			return EXIT_PROBLEMS;
		ask->count++;
	}
	committed = tool_query(ask->session, "COMMIT", 0, NULL);
	return committed ? EXIT_FINE : EXIT_PROBLEMS;
}

static struct pw_str answer(const struct ask *ask, size_t i, size_t column)
{
	return pw_db_value(ask->answers[i], 0, column);
}

static bool look(struct ask *ask, size_t i)
{
	const char *id = pw_db_value(ask->requests[i], 0, 0).at;

	pw_db_result_free(&ask->answers[i]);
	ask->answers[i] =
		tool_query(ask->session,
	                   "SELECT r.state, r.error, r.selector, "
	                   "r.selector || '._domainkey.' || r.domain, k.public_record "
	                   "FROM mail.dkim_requests AS r LEFT JOIN mail.dkim_keys AS k "
	                   "ON k.id = r.key_id WHERE r.id = $1",
	                   1, &id);
	return ask->answers[i] && pw_db_rows(ask->answers[i]) == 1;
}

static int wait_for(struct ask *ask, size_t i)
{
	struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };

	while (look(ask, i)) {
		if (pw_str_eq(answer(ask, i, ANSWER_STATE), PW_STR("done")))
			return EXIT_FINE;
		if (pw_str_eq(answer(ask, i, ANSWER_STATE), PW_STR("failed"))) {
			fprintf(stderr, "postwardctl dkim: %.*s\n",
			        PW_FMT(answer(ask, i, ANSWER_ERROR)));
			return EXIT_PROBLEMS;
		}
		if (pw_clock_mono_ms() > ask->deadline_ms) {
			fputs("postwardctl dkim: no answer yet; is postward-dkim "
			      "running? "
			      "The request stays open\n",
			      stderr);
			return EX_TEMPFAIL;
		}
		nanosleep(&pause, NULL);
	}
	return EXIT_PROBLEMS;
}

static void print_answers(const struct ask *ask)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();

	tool_json_add(json, "domain", pw_str_from(ask->opt->domain));
	json_object_object_add(json, "keys", list);
	for (size_t i = 0; i < ask->count; i++) {
		struct json_object *one = json_object_new_object();

		json_object_array_add(list, one);
		tool_json_add(one, "selector", answer(ask, i, ANSWER_SELECTOR));
		tool_json_add(one, "algorithm",
		              pw_str_from(ask->opt->choice->algorithms[i]));
		tool_json_add(one, "name", answer(ask, i, ANSWER_NAME));
		tool_json_add(one, "record", answer(ask, i, ANSWER_VALUE));
		if (!ask->opt->is_json)
			dkim_print_record(answer(ask, i, ANSWER_NAME),
			                  answer(ask, i, ANSWER_VALUE));
	}
	if (ask->opt->is_json)
		tool_json_print(json);
}

static int run(const struct options *opt)
{
	PW_AUTO(ask_done) struct ask ask = { .opt = opt };
	int code = EXIT_PROBLEMS;

	ask.deadline_ms = pw_clock_mono_ms() + opt->timeout_ms;
	if (!(ask.session = tool_database_open(opt->database, &code)))
		return code;
	if ((code = file_requests(&ask)) != EXIT_FINE)
		return code;
	for (size_t i = 0; i < ask.count; i++)
		if ((code = wait_for(&ask, i)) != EXIT_FINE)
			return code;
	print_answers(&ask);
	return EXIT_FINE;
}

static bool take_choice(struct options *opt, const char *name)
{
	for (size_t i = 0; i < PW_LEN(choices); i++) {
		if (strcmp(choices[i].name, name) == 0) {
			opt->choice = &choices[i];
			return true;
		}
	}
	return false;
}

int dkim_new(int argc, char **argv)
{
	struct options opt = { .timeout_ms = TIMEOUT_MS_DEFAULT };
	const char *algorithm = choices[0].name;
	const struct tool_option options[] = {
		{ "algorithm", .text = &algorithm },
		{ "selector", .text = &opt.selector },
		{ "database", .text = &opt.database },
		{ "timeout", .number = &opt.timeout_ms, .min = 1,
		  .max = TOOL_TIMEOUT_MS_MAX },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), dkim_new_usage, argc, argv,
	                       &operand, &code))
		return code;
	if (!take_choice(&opt, algorithm) || argc - operand != 1 ||
	    (opt.selector && opt.choice->algorithms[1]))
		return tool_wrong_use(dkim_new_usage);
	opt.domain = argv[operand];
	return run(&opt);
}
