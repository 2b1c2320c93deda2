/* postwardctl edge: which verb it is. */
#include "core/base.h"
#include "tools/command.h"
#include "tools/edge/verbs.h"
#include "tools/verbs.h"

int command_edge(int argc, char **argv)
{
	static const struct tool_verb verbs[] = {
		{ "init", edge_init, edge_init_usage },
		{ "check", edge_check, edge_check_usage },
		{ "keys", edge_keys, edge_keys_usage },
		{ "held", edge_held, edge_held_usage },
		{ "pass", edge_pass, edge_pass_usage },
		{ "bans", edge_bans, edge_bans_usage },
	};

	return tool_run_verb(verbs, PW_LEN(verbs), argc, argv);
}
