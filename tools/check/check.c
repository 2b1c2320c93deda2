/* postwardctl check: is everything in order, and if not, which command puts it there? */
#include "tools/check/check.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/command.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/plain.h"

#define TIMEOUT_MS_DEFAULT 20000

static const char usage[] =
	"usage: postwardctl check [OPTION...]\n"
	"Looks at this host and prints, for each problem, the command that cures it.\n"
	"  --only GROUP,...     only these groups; --list names them\n"
	"  --list               print the checks and end\n"
	"  --no-network         ask no hosts of other people: no DNS, no DNS lists,\n"
	"                       no connection to port 25 elsewhere\n"
	"  --probe HOST         try outgoing port 25 with this mail host\n"
	"  --zone FILE          DNS answers come from this JSON zone file\n"
	"  --dns SERVERS        ADDR[@PORT], ...; default: /etc/resolv.conf\n"
	"  --database CONNINFO  where PostgreSQL is, else of postward.conf\n"
	"  --dir FOLDER         migrations, else $PW_SQL_DIR, /usr/share/postward/sql\n"
	"  --timeout MS         longest time for any check; default 20000\n"
	"  --json               one JSON object\n"
	"exit code 0: no problem, 1: problems, 2: wrong use\n";

/* clang-format off */
static const struct check checks[] = {
	{ "postfix",      "settings",     check_main_cf,             CHECK_ANY,       false },
	{ "postfix",      "milters",      check_milters,             CHECK_ANY,       false },
	{ "postfix",      "stages",       check_stages,              CHECK_MAILBOXES, false },
	{ "postfix",      "relay",        check_relay,               CHECK_ANY,       false },
	{ "postfix",      "tls",          check_tls,                 CHECK_ANY,       false },
	{ "dovecot",      "settings",     check_dovecot_config,      CHECK_MAILBOXES, false },
	{ "dovecot",      "logins",       check_dovecot_logins,      CHECK_MAILBOXES, false },
	{ "dovecot",      "modules",      check_dovecot_modules,     CHECK_MAILBOXES, false },
	{ "dovecot",      "files",        check_dovecot_files,       CHECK_MAILBOXES, false },
	{ "sockets",      "milters",      check_milter_sockets,      CHECK_ANY,       false },
	{ "sockets",      "policy",       check_policy_sockets,      CHECK_MAILBOXES, false },
	{ "sockets",      "dovecot",      check_sasl_socket,         CHECK_MAILBOXES, false },
	{ "sockets",      "guests",       check_guest_sockets,       CHECK_MAILBOXES, false },
	{ "services",     "running",      check_services,            CHECK_ANY,       false },
	{ "database",     "connection",   check_database,            CHECK_MAILBOXES, false },
	{ "database",     "schema",       check_schema,              CHECK_MAILBOXES, false },
	{ "database",     "content",      check_rows,                CHECK_MAILBOXES, false },
	{ "database",     "users",        check_roles,               CHECK_MAILBOXES, false },
	{ "database",     "tables",       check_maps,                CHECK_MAILBOXES, false },
	{ "clock",        "synchronised", check_clock,               CHECK_ANY,       false },
	{ "clock",        "database",     check_database_clock,      CHECK_MAILBOXES, false },
	{ "certificates", "postfix",      check_postfix_certificate, CHECK_ANY,       false },
	{ "certificates", "dovecot",      check_dovecot_certificate, CHECK_MAILBOXES, false },
	{ "dns",          "records",      check_dns,                 CHECK_MAILBOXES, true },
	{ "lists",        "addresses",    check_lists,               CHECK_ANY,       true },
	{ "outbound",     "smtp",         check_outbound,            CHECK_ANY,       true },
	{ "ports",        "listening",    check_ports,               CHECK_ANY,       false },
	{ "fail2ban",     "journal",      check_fail2ban,            CHECK_ANY,       false },
	{ "snapshots",    "age",          check_snapshots,           CHECK_ANY,       false },
	{ "space",        "disks",        check_space,               CHECK_ANY,       false },
	{ "queue",        "mail",         check_queue,               CHECK_ANY,       false },
};
/* clang-format on */

struct options {
	struct check_options check;
	const char *only;
	bool is_json, is_list, is_offline;
};

/* ---- choosing ---- */

static bool is_among(const char *list, const char *group)
{
	struct pw_str rest = pw_str_from(list);

	while (rest.len > 0)
		if (pw_str_eq(pw_str_trim(pw_str_cut(&rest, ',')), pw_str_from(group)))
			return true;
	return false;
}

static bool is_group(struct pw_str name)
{
	for (size_t i = 0; i < PW_LEN(checks); i++)
		if (pw_str_eq(name, pw_str_from(checks[i].group)))
			return true;
	return false;
}

static bool are_groups(const char *list)
{
	struct pw_str rest = pw_str_from(list);

	do {
		struct pw_str name = pw_str_trim(pw_str_cut(&rest, ','));

		if (is_group(name))
			continue;
		(void)fprintf(stderr, "postwardctl check: no such group: %.*s\n",
		              PW_FMT(name));
		return false;
	} while (rest.len > 0);
	return true;
}

static size_t choose(struct check *out, const struct options *opt, enum check_role role)
{
	size_t count = 0;

	for (size_t i = 0; i < PW_LEN(checks); i++) {
		if ((checks[i].roles & role) == 0 ||
		    (opt->only != NULL && !is_among(opt->only, checks[i].group)))
			continue;
		out[count] = checks[i];
		if (checks[i].needs_network && !opt->check.has_network)
			out[count].look = check_offline;
		count++;
	}
	return count;
}

/* ---- printing ---- */

struct sum {
	size_t errors, warnings;
};

static void print_problem(const struct check_problem *p)
{
	(void)fputs(p->severity == CHECK_ERROR ? "    error: " : "    warning: ", stdout);
	tool_print_plain(p->text);
	(void)putchar('\n');
	if (p->cure.len == 0)
		return;
	(void)fputs("      cure: ", stdout);
	tool_print_plain(p->cure);
	(void)putchar('\n');
}

static void print_text(const struct check *check, const struct check_report *report)
{
	struct pw_str rest = pw_buf_str(&report->bytes);
	struct check_problem p;
	bool is_skipped = check_next(&rest, &p) && p.severity == CHECK_SKIPPED;

	(void)printf("%-12s %-12s ", check->group, check->name);
	if (is_skipped) {
		tool_print_plain(p.text);
		(void)putchar('\n');
		return;
	}
	(void)puts(report->bytes.len == 0 ? "ok" : "");
	rest = pw_buf_str(&report->bytes);
	while (check_next(&rest, &p))
		print_problem(&p);
}

static struct json_object *as_json(const struct check *check,
                                   const struct check_report *report)
{
	struct json_object *json = json_object_new_object();
	struct json_object *problems = json_object_new_array();
	struct pw_str rest = pw_buf_str(&report->bytes);
	struct check_problem p;

	tool_json_add(json, "group", pw_str_from(check->group));
	tool_json_add(json, "name", pw_str_from(check->name));
	while (check_next(&rest, &p)) {
		struct json_object *one;

		if (p.severity == CHECK_SKIPPED) {
			tool_json_add(json, "skipped", p.text);
			continue;
		}
		one = json_object_new_object();
		tool_json_add(
			one, "severity",
			pw_str_from(p.severity == CHECK_ERROR ? "error" : "warning"));
		tool_json_add(one, "text", p.text);
		tool_json_add(one, "cure", p.cure);
		json_object_array_add(problems, one);
	}
	json_object_object_add(
		json, "ok",
		json_object_new_boolean(json_object_array_length(problems) == 0));
	json_object_object_add(json, "problems", problems);
	return json;
}

static struct sum count(const struct check_report *reports, size_t n)
{
	struct sum sum = { 0 };
	struct check_problem p;

	for (size_t i = 0; i < n; i++) {
		struct pw_str rest = pw_buf_str(&reports[i].bytes);

		while (check_next(&rest, &p)) {
			sum.errors += p.severity == CHECK_ERROR;
			sum.warnings += p.severity == CHECK_WARNING;
		}
	}
	return sum;
}

static const char *role_text(enum check_role role)
{
	return role == CHECK_EDGE ? "edge" : role == CHECK_INNER ? "inner" : "single";
}

static void print_json(const struct check *chosen, const struct check_report *reports,
                       size_t n, struct sum sum, enum check_role role)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, as_json(&chosen[i], &reports[i]));
	json_object_object_add(json, "ok",
	                       json_object_new_boolean(sum.errors + sum.warnings == 0));
	tool_json_add(json, "role", pw_str_from(role_text(role)));
	json_object_object_add(json, "errors",
	                       json_object_new_int64((int64_t)sum.errors));
	json_object_object_add(json, "warnings",
	                       json_object_new_int64((int64_t)sum.warnings));
	json_object_object_add(json, "checks", list);
	tool_json_print(json);
}

static int print(const struct options *opt, const struct check *chosen,
                 const struct check_report *reports, size_t n, enum check_role role)
{
	struct sum sum = count(reports, n);

	if (opt->is_json) {
		print_json(chosen, reports, n, sum, role);
	} else {
		for (size_t i = 0; i < n; i++)
			print_text(&chosen[i], &reports[i]);
		(void)printf("%s host: %zu errors, %zu warnings\n", role_text(role),
		             sum.errors, sum.warnings);
	}
	return sum.errors + sum.warnings == 0 ? EXIT_FINE : EXIT_PROBLEMS;
}

/* ---- the command ---- */

static int run(const struct options *opt)
{
	struct check_report reports[PW_LEN(checks)] = { 0 };
	struct check chosen[PW_LEN(checks)];
	PW_AUTO(check_context_done) struct check_context context;
	size_t n;
	int code = EX_OSERR;

	if (check_context_init(&context, &opt->check) != PW_OK) {
		(void)fputs("postwardctl check: out of memory\n", stderr);
		return EX_OSERR;
	}
	n = choose(chosen, opt, context.role);
	if (check_run(chosen, n, &context, reports) == PW_OK)
		code = print(opt, chosen, reports, n, context.role);
	else
		(void)fputs("postwardctl check: no process could be made\n", stderr);
	for (size_t i = 0; i < n; i++)
		check_report_done(&reports[i]);
	return code;
}

static int list(void)
{
	for (size_t i = 0; i < PW_LEN(checks); i++)
		(void)printf("%-12s %s\n", checks[i].group, checks[i].name);
	return EXIT_FINE;
}

int command_check(int argc, char **argv)
{
	struct options opt = { .check = { .timeout_ms = TIMEOUT_MS_DEFAULT } };
	const struct tool_option options[] = {
		{ "only", .text = &opt.only },
		{ "list", .flag = &opt.is_list },
		{ "no-network", .flag = &opt.is_offline },
		{ "probe", .text = &opt.check.probe },
		{ "zone", .text = &opt.check.zone },
		{ "dns", .text = &opt.check.dns_servers },
		{ "database", .text = &opt.check.database },
		{ "dir", .text = &opt.check.sql_folder },
		{ "timeout", .number = &opt.check.timeout_ms, .min = 1,
		  .max = TOOL_TIMEOUT_MS_MAX },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	if (operand < argc || (opt.only != NULL && !are_groups(opt.only)))
		return tool_wrong_use(usage);
	if (opt.is_list)
		return list();
	opt.check.has_network = !opt.is_offline;
	return run(&opt);
}
