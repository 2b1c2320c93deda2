/* postwardctl dkim import: keys made elsewhere, one file at a time or as OpenDKIM's
 * tables name them. */
#include <stdio.h>
#include <sysexits.h>

#include "tools/command.h"
#include "tools/database.h"
#include "tools/dkim/key_file.h"
#include "tools/dkim/opendkim_files.h"
#include "tools/dkim/put.h"
#include "tools/dkim/verbs.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/plain.h"
#include "tools/statement.h"

const char dkim_import_usage[] =
	"usage: postwardctl dkim import DOMAIN SELECTOR FILE [OPTION...]\n"
	"       postwardctl dkim import --opendkim [--conf FILE] [OPTION...]\n"
	"       postwardctl dkim import --keytable FILE [--signingtable FILE] "
	"[OPTION...]\n"
	"Takes over private keys (RSA of 1024 to 4096 bits or Ed25519, PEM, not "
	"encrypted);\n"
	"they sign from then on. A key that is there already is left as it is.\n"
	"  --opendkim           the keys that OpenDKIM's settings name\n"
	"  --conf FILE          those settings; default: /etc/opendkim.conf\n"
	"  --keytable FILE      OpenDKIM's KeyTable, with or without file: or refile:\n"
	"  --signingtable FILE  OpenDKIM's SigningTable, the same\n"
	"  --root DIR           put before absolute paths in settings and tables: where\n"
	"                       files of another host or of a container are\n"
	"  --dry-run            do it, say what came of it, undo it\n"
	"  --database CONNINFO  libpq string; default: setting database\n"
	"  --json               {\"ok\", \"dry_run\", \"keys\": [{\"domain\", "
	"\"selector\",\n"
	"                       \"file\", \"result\": \"made|kept|refused\", \"why\",\n"
	"                       \"name\", \"record\"}], \"skipped\": [{\"file\", "
	"\"line\",\n"
	"                       \"what\", \"why\"}]}\n"
	"Exit 1: something was refused or skipped.\n";

struct options {
	struct opendkim_where where;
	const char *database;
	bool is_opendkim, is_dry_run, is_json;
};

static const char *const outcome_texts[] = {
	[DKIM_MADE] = "made",
	[DKIM_KEPT] = "kept",
	[DKIM_REFUSED] = "refused",
};

/* What has been done so far. */
struct work {
	const struct options *opt;
	struct pw_db_session *session;
	struct opendkim list;
	struct json_object *keys; /* with --json */
	bool has_trouble;
};

static void work_done(struct work *w)
{
	json_object_put(w->keys);
	opendkim_done(&w->list);
	pw_db_session_close(&w->session);
}

/* Names and paths come from tables of others, and may be any bytes. */
static void print_outcome(struct pw_str name, const char *path, enum dkim_outcome outcome,
                          struct pw_str record, const char *why)
{
	printf("%s: ", outcome_texts[outcome]);
	tool_print_plain(name);
	if (outcome == DKIM_REFUSED) {
		fputs(": ", stdout);
		tool_print_plain(pw_str_from(path));
		printf(": %s\n", why);
		return;
	}
	putchar('\n');
	dkim_print_record(name, record);
}

static void report(struct work *w, const struct opendkim_wish *wish, const char *path,
                   enum dkim_outcome outcome, struct pw_str record, const char *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	struct json_object *one;

	w->has_trouble |= outcome == DKIM_REFUSED;
	dkim_put_name(&name, wish->selector, wish->domain);
	if (!w->opt->is_json) {
		print_outcome(pw_buf_str(&name), path, outcome, record, why);
		return;
	}
	one = json_object_new_object();
	json_object_array_add(w->keys, one);
	tool_json_add(one, "domain", wish->domain);
	tool_json_add(one, "selector", wish->selector);
	tool_json_add(one, "file", pw_str_from(path));
	tool_json_add(one, "result", pw_str_from(outcome_texts[outcome]));
	if (outcome == DKIM_REFUSED) {
		tool_json_add(one, "why", pw_str_from(why));
		return;
	}
	tool_json_add(one, "name", pw_buf_str(&name));
	tool_json_add(one, "record", record);
}

static enum pw_status take_wish(struct work *w, const struct opendkim_wish *wish,
                                struct pw_buf *why_out)
{
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 }, record = { 0 }, why = { 0 };
	enum dkim_outcome outcome = DKIM_REFUSED;
	const char *file = opendkim_path(&path, &w->opt->where, wish->path), *words;
	enum pw_status r = tool_key_read(&key, file, &words);

	if (r == PW_ERR_NOMEM)
		return r;
	if (r != PW_OK) {
		report(w, wish, file, DKIM_REFUSED, (struct pw_str){ NULL, 0 }, words);
		return PW_OK;
	}
	r = dkim_put(w->session, wish->domain, wish->selector, key, &outcome, &record,
	             &why);
	if (r == PW_OK)
		report(w, wish, file, outcome, pw_buf_str(&record), pw_buf_text(&why));
	else
		pw_buf_puts(why_out, pw_buf_str(&why));
	return r;
}

static enum pw_status take_wishes(struct work *w, struct pw_buf *why_out)
{
	enum pw_status r = tool_run(w->session, "BEGIN", why_out);

	for (const struct opendkim_wish *wish = w->list.wishes; wish && r == PW_OK;
	     wish = wish->next)
		r = take_wish(w, wish, why_out);
	if (r != PW_OK)
		return r;
	return tool_run(w->session, w->opt->is_dry_run ? "ROLLBACK" : "COMMIT", why_out);
}

static void print_left(struct work *w)
{
	for (const struct opendkim_left *left = w->list.left; left; left = left->next) {
		w->has_trouble = true;
		printf("%s:%u: skipped: ", left->file, left->line);
		tool_print_plain(left->what);
		printf(": %s\n", left->why);
	}
	if (w->opt->is_dry_run)
		puts("dry run: nothing has been changed");
}

static void print_json(struct work *w)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	struct json_object *skipped = json_object_new_array();

	for (const struct opendkim_left *left = w->list.left; left; left = left->next) {
		w->has_trouble = true;
		tool_json_add_note(skipped, left->file, left->line, left->what,
		                   pw_str_from(left->why));
	}
	json_object_object_add(json, "ok", json_object_new_boolean(!w->has_trouble));
	json_object_object_add(json, "dry_run",
	                       json_object_new_boolean(w->opt->is_dry_run));
	json_object_object_add(json, "keys", PW_TAKE(w->keys));
	json_object_object_add(json, "skipped", skipped);
	tool_json_print(json);
}

/* Standard output of a key's records is of no use when nothing was committed. */
static int fail(enum pw_status r, const struct pw_buf *why)
{
	fprintf(stderr, "postwardctl dkim: %s\n",
	        why->len > 0 ? pw_buf_text(why) : pw_status_text(r));
	return r == PW_ERR_AWAY || r == PW_ERR_TIMEOUT ? EX_UNAVAILABLE : EX_SOFTWARE;
}

static int run(const struct options *opt, char **names)
{
	PW_AUTO(work_done) struct work w = { .opt = opt };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	int code = EXIT_FINE;
	enum pw_status r;

	if (opendkim_init(&w.list) != PW_OK || !(w.keys = json_object_new_array()))
		return EX_OSERR;
	if (names)
		opendkim_wish(&w.list, names[2], 0, pw_str_from(names[0]),
		              pw_str_from(names[1]), pw_str_from(names[2]));
	else
		code = opendkim_read_files(&w.list, &opt->where);
	if (code != EXIT_FINE)
		return code;
	opendkim_settle(&w.list);
	if (w.list.status != PW_OK)
		return EX_OSERR;
	if (!(w.session = tool_database_open(opt->database, &code)))
		return code;
	if ((r = take_wishes(&w, &why)) != PW_OK)
		return fail(r, &why);
	if (opt->is_json)
		print_json(&w);
	else
		print_left(&w);
	return w.has_trouble ? EXIT_PROBLEMS : EXIT_FINE;
}

/* One of the three ways, and nothing of another. */
static bool is_right_use(const struct options *opt, int operands)
{
	if (opt->is_opendkim)
		return operands == 0 && !opt->where.keytable && !opt->where.signingtable;
	if (opt->where.conf)
		return false;
	if (opt->where.keytable)
		return operands == 0;
	return operands == 3 && !opt->where.signingtable && !opt->where.root;
}

int dkim_import(int argc, char **argv)
{
	struct options opt = { 0 };
	const struct tool_option options[] = {
		{ "opendkim", .flag = &opt.is_opendkim },
		{ "conf", .text = &opt.where.conf },
		{ "keytable", .text = &opt.where.keytable },
		{ "signingtable", .text = &opt.where.signingtable },
		{ "root", .text = &opt.where.root },
		{ "dry-run", .flag = &opt.is_dry_run },
		{ "database", .text = &opt.database },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), dkim_import_usage, argc, argv,
	                       &operand, &code))
		return code;
	if (!is_right_use(&opt, argc - operand))
		return tool_wrong_use(dkim_import_usage);
	return run(&opt, operand < argc ? argv + operand : NULL);
}
