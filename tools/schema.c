/* postwardctl schema: the state of schema mail, and bringing it up to date. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/command.h"
#include "tools/database.h"
#include "tools/json.h"
#include "tools/migrations.h"
#include "tools/options.h"

static const char usage[] =
	"usage: postwardctl schema status|migrate|verify [OPTION...]\n"
	"  status              which migrations are carried out, which are not\n"
	"  migrate             carry out those that are not; needs a role that may\n"
	"                      make roles (sudo -u postgres postwardctl ...)\n"
	"  verify              is the schema what the migrations made?\n"
	"  --database CONNINFO where PostgreSQL is, else of postward.conf\n"
	"  --dir FOLDER        migrations, else $PW_SQL_DIR, /usr/share/postward/sql\n"
	"  --json              one JSON object\n"
	"exit code 0: all in order, 1: something is not, 2: wrong use\n";

struct options {
	const char *database, *folder;
	bool is_json;
};

struct report {
	struct migrations all;
	struct json_object *problems; /* array of texts */
	size_t applied_now;
};

static void report_done(struct report *report)
{
	migrations_done(&report->all);
	json_object_put(report->problems);
}

static void add_problem(struct report *report, const char *text)
{
	json_object_array_add(report->problems, json_object_new_string(text));
}

static size_t count_state(const struct migrations *all, enum migration_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < all->count; i++)
		n += all->at[i].state == state;
	return n;
}

static struct json_object *as_json(const struct report *report)
{
	struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < report->all.count; i++) {
		const struct migration *one = &report->all.at[i];
		struct json_object *row = json_object_new_object();

		json_object_object_add(row, "version", json_object_new_int(one->version));
		json_object_object_add(row, "name", json_object_new_string(one->name));
		json_object_object_add(
			row, "state",
			json_object_new_string(migration_state_text(one->state)));
		json_object_array_add(list, row);
	}
	json_object_object_add(
		json, "ok",
		json_object_new_boolean(json_object_array_length(report->problems) == 0));
	json_object_object_add(json, "applied_now",
	                       json_object_new_int64((int64_t)report->applied_now));
	json_object_object_add(json, "problems", json_object_get(report->problems));
	json_object_object_add(json, "migrations", list);
	return json;
}

static int finish(const struct report *report, const struct options *opt, bool with_rows)
{
	size_t problems = json_object_array_length(report->problems);

	if (opt->is_json) {
		PW_AUTO(tool_json_put) struct json_object *json = as_json(report);

		tool_json_print(json);
		return problems == 0 ? EXIT_FINE : EXIT_PROBLEMS;
	}
	for (size_t i = 0; with_rows && i < report->all.count; i++)
		printf("%04d  %-8s %s\n", report->all.at[i].version,
		       migration_state_text(report->all.at[i].state),
		       report->all.at[i].name);
	for (size_t i = 0; i < problems; i++)
		printf("%s\n", json_object_get_string(
				       json_object_array_get_idx(report->problems, i)));
	if (problems == 0)
		printf("schema mail is at %04d%s\n",
		       report->all.at[report->all.count - 1].version,
		       report->applied_now > 0 ? ", brought up to date" : "");
	return problems == 0 ? EXIT_FINE : EXIT_PROBLEMS;
}

static void find_problems(struct report *report)
{
	for (size_t i = 0; i < report->all.count; i++) {
		const struct migration *one = &report->all.at[i];
		char text[MIGRATION_NAME_MAX + 100];

		if (one->state == MIGRATION_APPLIED)
			continue;
		(void)snprintf(text, sizeof(text), "%04d-%s: %s", one->version, one->name,
		               one->state == MIGRATION_PENDING
		                       ? "pending: run postwardctl schema migrate"
		               : one->state == MIGRATION_CHANGED
		                       ? "the file is not what was carried out"
		                       : "carried out by a newer release, no file here");
		add_problem(report, text);
	}
}

static int do_status(struct report *report, struct pw_db_session *session,
                     const struct options *opt)
{
	(void)session;
	find_problems(report);
	return finish(report, opt, true);
}

/* What the migrations made, is it still so? */
static int do_verify(struct report *report, struct pw_db_session *session,
                     const struct options *opt)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;

	find_problems(report);
	if (json_object_array_length(report->problems) == 0) {
		rows = tool_query(session, "SELECT * FROM mail.schema_problems()", 0,
		                  NULL);
		if (rows == NULL)
			return EX_SOFTWARE;
		for (size_t i = 0; i < pw_db_rows(rows); i++)
			add_problem(report, pw_db_value(rows, i, 0).at);
	}
	return finish(report, opt, false);
}

static int do_migrate(struct report *report, struct pw_db_session *session,
                      const struct options *opt)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	if (count_state(&report->all, MIGRATION_CHANGED) > 0 ||
	    count_state(&report->all, MIGRATION_NO_FILE) > 0) {
		find_problems(report);
		return finish(report, opt, false);
	}
	for (size_t i = 0; i < report->all.count; i++) {
		struct migration *one = &report->all.at[i];
		enum pw_status r;

		if (one->state == MIGRATION_APPLIED)
			continue;
		r = migration_apply(one, report->all.folder, session, &why);
		if (r != PW_OK) {
			(void)fprintf(stderr, "postwardctl: %s\n",
			              why.len > 0 ? pw_buf_text(&why)
			                          : pw_status_text(r));
			return EX_SOFTWARE;
		}
		report->applied_now++;
		if (!opt->is_json)
			printf("%04d  applied  %s\n", one->version, one->name);
	}
	return finish(report, opt, false);
}

typedef int (*verb_fn)(struct report *report, struct pw_db_session *session,
                       const struct options *opt);

static int run(verb_fn verb, const struct options *opt)
{
	PW_AUTO(report_done)
	struct report report = { .problems = json_object_new_array() };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	enum pw_status r;
	int code;

	if ((r = migrations_read(&report.all, opt->folder, &why)) != PW_OK) {
		(void)fprintf(stderr, "postwardctl: %s\n",
		              why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
		return EX_NOINPUT;
	}
	if ((session = tool_database_open(opt->database, &code)) == NULL)
		return code;
	if ((r = migrations_compare(&report.all, session, &why)) != PW_OK) {
		(void)fprintf(stderr, "postwardctl: %s\n",
		              why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
		return EX_NOPERM;
	}
	return verb(&report, session, opt);
}

int command_schema(int argc, char **argv)
{
	/* clang-format off */
	static const struct { const char *name; verb_fn run; } verbs[] = {
		{ "status",  do_status },
		{ "migrate", do_migrate },
		{ "verify",  do_verify },
	};
	/* clang-format on */
	struct options opt = { 0 };
	const struct tool_option options[] = {
		{ "database", .text = &opt.database },
		{ "dir", .text = &opt.folder },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	for (size_t i = 0; operand + 1 == argc && i < PW_LEN(verbs); i++)
		if (strcmp(argv[operand], verbs[i].name) == 0)
			return run(verbs[i].run, &opt);
	return tool_wrong_use(usage);
}
