/* postward-origin: the originating client's way from an edge Postfix to the inner one. */
#include <stdlib.h>

#include "origin/live/milter.h"
#include "origin/settings.h"

int main(int argc, char **argv)
{
	static const struct kit_live_hooks hooks = { derived_new, derived_free };
	PW_AUTO(kit_live_free) struct kit_live *live = NULL;
	struct kit_daemon daemon = { .program = settings_schema.program };
	const struct kit_held *held = NULL;
	const struct settings *set;
	enum pw_status r;
	int code;

	code = kit_live_start(&live, &settings_schema, &hooks, argc, argv);
	if (code != PW_OPTIONS_RUN)
		return code;
	held = kit_live_get(live); /* socket and drain_deadline do not change at reload */
	set = held->set;
	daemon.socket = set->socket;
	daemon.drain_ms = set->drain_deadline_ms;
	milter_describe(&daemon, live);
	r = kit_run(&daemon);
	kit_live_put(live, &held);
	return r == PW_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
