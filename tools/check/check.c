/* postwardctl check: is everything in order, and if not, which command puts it there? */
#include "tools/check/table.h"

#include "tools/command.h"
#include "tools/edge/look.h"
#include "tools/options.h"

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
	{ "sockets",      "tables",       check_table_sockets,       CHECK_MAILBOXES, false },
	{ "sockets",      "dovecot",      check_sasl_socket,         CHECK_MAILBOXES, false },
	{ "sockets",      "guests",       check_guest_sockets,       CHECK_MAILBOXES, false },
	{ "sockets",      "clamav",       check_clamd_socket,        CHECK_MAILBOXES, false },
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
	{ "edge",         "inner",        edge_look_inner,           CHECK_EDGE,      false },
	{ "edge",         "listeners",    edge_look_listeners,       CHECK_EDGE,      false },
	{ "edge",         "queue",        edge_look_queue,           CHECK_EDGE,      false },
	{ "edge",         "stamps",       edge_look_stamps,          CHECK_EDGE,      false },
	{ "edge",         "held",         check_held,                CHECK_EDGE,      false },
	{ "queue",        "mail",         check_queue,               CHECK_ANY,       false },
};
/* clang-format on */

static const struct check_table table = { "postwardctl check", checks, PW_LEN(checks),
	                                  CHECK_ANY };

int command_check(int argc, char **argv)
{
	struct check_choice opt = { .check = { .timeout_ms = TIMEOUT_MS_DEFAULT } };
	bool is_list = false, is_offline = false;
	const struct tool_option options[] = {
		{ "only", .text = &opt.only },
		{ "list", .flag = &is_list },
		{ "no-network", .flag = &is_offline },
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
	if (operand < argc || (opt.only != NULL && !check_table_has(&table, opt.only)))
		return tool_wrong_use(usage);
	if (is_list)
		return check_table_list(&table);
	opt.check.has_network = !is_offline;
	return check_table_run(&table, &opt);
}
