/* postward-score: verifies, scores and records messages. */
#include <stdlib.h>

#include "score/daemon.h"
#include "score/session.h"

int main(int argc, char **argv)
{
	static const struct kit_live_hooks hooks = { derived_new, derived_free };
	PW_AUTO(kit_live_free) struct kit_live *live = NULL;
	PW_AUTO(daemon_close) struct daemon shared = { 0 };
	struct kit_daemon daemon = { .program = settings_schema.program };
	const struct settings *set;
	int code;

	code = kit_live_start(&live, &settings_schema, &hooks, argc, argv);
	if (code != PW_OPTIONS_RUN)
		return code;
	shared.live = live;
	shared.start = kit_live_get(live);
	if (daemon_open(&shared) != PW_OK)
		return EXIT_FAILURE;
	set = shared.start->set;
	daemon.socket = set->socket;
	daemon.drain_ms = set->drain_deadline_ms;
	session_describe(&daemon, &shared);
	return kit_run(&daemon) == PW_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
