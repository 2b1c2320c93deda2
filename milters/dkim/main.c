/* postward-dkim: signs what logins and local programs send. */
#include <stdlib.h>

#include "dkim/daemon.h"
#include "dkim/session.h"

int main(int argc, char **argv)
{
	PW_AUTO(kit_live_free) struct kit_live *live = NULL;
	PW_AUTO(daemon_close) struct daemon shared = { .live = NULL };
	struct kit_daemon daemon = { .program = settings_schema.program };
	const struct settings *set;
	int code;

	code = kit_live_start(&live, &settings_schema, NULL, argc, argv);
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
