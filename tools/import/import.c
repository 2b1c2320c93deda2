/* postwardctl import users: mailboxes with their hashes, domains and aliases from what
 * other systems export. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "tools/command.h"
#include "tools/database.h"
#include "tools/import/sources.h"
#include "tools/import/store.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/plain.h"

static const char usage[] =
	"usage: postwardctl import users SOURCE FILE... [OPTION...]\n"
	"Makes domains, mailboxes with their password hashes, and aliases, all or "
	"nothing.\n"
	"SOURCE and its files:\n"
	"  postfixadmin       tables mailbox, alias, domain, alias_domain, each as "
	"mysql\n"
	"                     --batch or psql \\copy ... csv header writes it\n"
	"  mailcow            the same, and sender_acl\n"
	"  docker-mailserver  postfix-accounts.cf, postfix-virtual.cf, "
	"dovecot-quotas.cf\n"
	"  passwd-file        files of Dovecot's passdb passwd-file\n"
	"What is there already is kept. A hash that is not safe to keep is left out and "
	"the\n"
	"mailbox made without a password.\n"
	"  --dry-run            do it, say what came of it, undo it\n"
	"  --update             set what is there already to what the files say\n"
	"  --domain DOMAIN      passwd-file: domain of names without one\n"
	"  --database CONNINFO  libpq string; default: setting database\n"
	"  --json               one object: {\"ok\", \"dry_run\", \"made\", "
	"\"updated\",\n"
	"                       \"kept\", \"skipped\", \"without_password\", "
	"\"kept_rows\"}\n"
	"Exit 1: something was skipped, or a mailbox has no password.\n";

struct options {
	struct import_order order;
	struct import_how how;
	const struct import_source *source;
	const char *database;
	bool is_json;
};

/* Names of the kinds in the report. */
static const char *const many[IMPORT_KINDS] = {
	[IMPORT_DOMAIN] = "domains",
	[IMPORT_ALIAS_DOMAIN] = "alias_domains",
	[IMPORT_USER] = "mailboxes",
	[IMPORT_ALIAS] = "aliases",
	[IMPORT_PERMISSION] = "sender_permissions",
};

static bool is_fine(const struct import_plan *plan)
{
	return plan->skipped.count == 0 && plan->locked.count == 0;
}

/* Names come from files of others, and may be any bytes. */
static void print_note(const struct import_note *note, const char *verb,
                       struct pw_str first, const char *gap, struct pw_str second)
{
	printf("%s:%u: %s: ", note->place.file, note->place.line, verb);
	tool_print_plain(first);
	fputs(gap, stdout);
	tool_print_plain(second);
	putchar('\n');
}

static void print_notes(const char *verb, const struct import_notes *notes)
{
	for (const struct import_note *n = notes->first; n; n = n->next)
		print_note(n, verb, n->what, ": ", n->why);
}

static void print_kept(const struct import_notes *notes)
{
	for (const struct import_note *n = notes->first; n; n = n->next)
		print_note(n, "kept as it is", n->why, " ", n->what);
}

static void print_counts(const char *verb, const size_t *counts)
{
	printf("%s:", verb);
	for (size_t i = 0; i < IMPORT_KINDS; i++)
		printf("%s %zu %s", i > 0 ? "," : "", counts[i], many[i]);
	putchar('\n');
}

static void print_text(const struct import_plan *plan, const struct import_how *how,
                       const struct import_result *result)
{
	print_kept(&result->kept_rows);
	print_notes("skipped", &plan->skipped);
	print_notes("without password", &plan->locked);
	print_counts("made", result->made);
	if (how->is_update)
		print_counts("updated", result->updated);
	else
		print_counts("kept", result->kept);
	printf("skipped: %zu, mailboxes without password: %zu\n", plan->skipped.count,
	       plan->locked.count);
	if (how->is_dry_run)
		puts("dry run: nothing has been changed");
}

static void add_counts(struct json_object *json, const char *name, const size_t *counts)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < IMPORT_KINDS; i++)
		json_object_object_add(object, many[i],
		                       json_object_new_int64((int64_t)counts[i]));
	json_object_object_add(json, name, object);
}

static void add_notes(struct json_object *json, const char *name,
                      const struct import_notes *notes)
{
	struct json_object *list = json_object_new_array();

	for (const struct import_note *n = notes->first; n; n = n->next)
		tool_json_add_note(list, n->place.file, n->place.line, n->what, n->why);
	json_object_object_add(json, name, list);
}

static void print_json(const struct import_plan *plan, const struct import_how *how,
                       const struct import_result *result)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();

	json_object_object_add(json, "ok", json_object_new_boolean(is_fine(plan)));
	json_object_object_add(json, "dry_run", json_object_new_boolean(how->is_dry_run));
	add_counts(json, "made", result->made);
	add_counts(json, "updated", result->updated);
	add_counts(json, "kept", result->kept);
	add_notes(json, "skipped", &plan->skipped);
	add_notes(json, "without_password", &plan->locked);
	add_notes(json, "kept_rows", &result->kept_rows);
	tool_json_print(json);
}

static int fail(const struct pw_buf *why, enum pw_status r)
{
	fprintf(stderr, "postwardctl import: %s\n",
	        why->len > 0 ? pw_buf_text(why) : pw_status_text(r));
	switch ((int)r) {
	case PW_ERR_NOTFOUND:
	case PW_ERR_DENIED:
	case PW_ERR_STATE:
	case PW_ERR_IO:
		return EX_NOINPUT;
	case PW_ERR_NOMEM:
		return EX_OSERR;
	case PW_ERR_AWAY:
	case PW_ERR_TIMEOUT:
		return EX_UNAVAILABLE;
	default:
		return EX_DATAERR;
	}
}

static int run(const struct options *opt)
{
	PW_AUTO(import_plan_done) struct import_plan plan = { 0 };
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct import_result result;
	uint8_t seed[16];
	enum pw_status r;
	int code;

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return EX_OSERR;
	if ((r = import_plan_init(&plan, seed)) != PW_OK ||
	    (r = opt->source->read(&plan, &opt->order, &why)) != PW_OK)
		return fail(&why, r);
	import_settle(&plan);
	if (plan.status != PW_OK)
		return fail(&why, plan.status);
	if (!(session = tool_database_open(opt->database, &code)))
		return code;
	if ((r = import_store(session, &plan, &opt->how, &result, &why)) != PW_OK)
		return fail(&why, r);
	if (opt->is_json)
		print_json(&plan, &opt->how, &result);
	else
		print_text(&plan, &opt->how, &result);
	return is_fine(&plan) ? EXIT_FINE : EXIT_PROBLEMS;
}

int command_import(int argc, char **argv)
{
	struct options opt = { 0 };
	const struct tool_option options[] = {
		{ "dry-run", .flag = &opt.how.is_dry_run },
		{ "update", .flag = &opt.how.is_update },
		{ "domain", .text = &opt.order.domain },
		{ "database", .text = &opt.database },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	if (argc - operand < 3 || strcmp(argv[operand], "users") != 0)
		return tool_wrong_use(usage);
	if (!(opt.source = import_find_source(pw_str_from(argv[operand + 1])))) {
		fprintf(stderr, "postwardctl import: no such source: %s\n",
		        argv[operand + 1]);
		return tool_wrong_use(usage);
	}
	opt.order.files = (const char *const *)&argv[operand + 2];
	opt.order.count = (size_t)(argc - operand - 2);
	return run(&opt);
}
