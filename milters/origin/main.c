/* postward-origin: the originating client's way from an edge Postfix to the inner one. */
#include <malloc.h>
#include <stdlib.h>

#include "origin/daemon.h"
#include "origin/live/milter.h"
#include "origin/settings.h"
#include "origin/stamp/verify.h"

/* A session is to take 64 kB at most: threads do not collect memory of their own
 * (mallopt(3)), and what one long message needed goes back to the system. */
static void be_frugal(void)
{
	(void)mallopt(M_ARENA_MAX, 2);
	(void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 64 * 1024);
}

int main(int argc, char **argv)
{
	static const struct kit_live_hooks hooks = { derived_new, derived_free };
	PW_AUTO(kit_live_free) struct kit_live *live = NULL;
	PW_AUTO(daemon_close) struct daemon shared = { 0 };
	struct kit_daemon kit = { .program = settings_schema.program };
	const struct kit_held *start = NULL; /* texts are borrowed from it */
	const struct settings *set;
	enum pw_status r;
	int code;

	be_frugal();
	code = kit_live_start(&live, &settings_schema, &hooks, argc, argv);
	if (code != PW_OPTIONS_RUN)
		return code;
	start = kit_live_get(live);
	shared.live = live;
	daemon_describe(&kit, &shared);
	set = start->set;
	if (set->role == ROLE_INNER)
		verify_describe(&kit);
	else
		milter_describe(&kit);
	if ((r = daemon_open(&shared)) == PW_OK)
		r = kit_run(&kit);
	kit_live_put(live, &start);
	return r == PW_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
