/* postwardctl edge check: does the inner host believe this edge, and nobody else? */
#include "tools/check/table.h"
#include "tools/command.h"
#include "tools/edge/look.h"
#include "tools/edge/verbs.h"
#include "tools/options.h"

#define TIMEOUT_MS_DEFAULT 60000

const char edge_check_usage[] =
	"usage: postwardctl edge check [OPTION...]\n"
	"On the edge: tries out, by talking to it, what the inner host believes and lets "
	"pass,\n"
	"and what strangers can make this host believe. Sends no message, but for one "
	"with a\n"
	"stamp where setting carry is stamp, which the inner host answers and drops.\n"
	"  --only GROUP,...     only these groups; --list names them\n"
	"  --list               print what is looked at and end\n"
	"  --timeout MS         longest time for any of it; default 60000\n"
	"  --json               one JSON object, as postwardctl check prints it\n";

/* clang-format off */
static const struct check checks[] = {
	{ "inner",  "offer",     edge_look_inner,     CHECK_EDGE, false },
	{ "inner",  "relay",     edge_look_relay,     CHECK_EDGE, false },
	{ "users",  "ports",     edge_look_users,     CHECK_EDGE, false },
	{ "public", "proxy",     edge_look_public,    CHECK_EDGE, false },
	{ "public", "listeners", edge_look_listeners, CHECK_EDGE, false },
	{ "tunnel", "packets",   edge_look_tunnel,    CHECK_EDGE, false },
	{ "tunnel", "clock",     edge_look_clock,     CHECK_EDGE, false },
	{ "queue",  "way",       edge_look_queue,     CHECK_EDGE, false },
	{ "stamps", "keys",      edge_look_stamps,    CHECK_EDGE, false },
	{ "stamps", "inner",     edge_look_stamped,   CHECK_EDGE, false },
};
/* clang-format on */

int edge_check(int argc, char **argv)
{
	static const struct check_table table = { "postwardctl edge check", checks,
		                                  PW_LEN(checks), CHECK_EDGE };
	struct check_choice choice = { .check = { .timeout_ms = TIMEOUT_MS_DEFAULT,
		                                  .has_network = true } };
	bool is_list = false;
	const struct tool_option options[] = {
		{ "only", .text = &choice.only },
		{ "list", .flag = &is_list },
		{ "timeout", .number = &choice.check.timeout_ms, .min = 1,
		  .max = TOOL_TIMEOUT_MS_MAX },
		{ "json", .flag = &choice.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), edge_check_usage, argc, argv,
	                       &operand, &code))
		return code;
	if (operand < argc ||
	    (choice.only != NULL && !check_table_has(&table, choice.only)))
		return tool_wrong_use(edge_check_usage);
	return is_list ? check_table_list(&table) : check_table_run(&table, &choice);
}
