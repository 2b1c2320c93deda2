/* postward-policyd: answers Postfix's policy questions from memory
 * (docs/limits.md). */
#include <malloc.h>
#include <stdlib.h>

#include "io/log.h"
#include "policyd/daemon.h"

static enum pw_status run(struct daemon *daemon)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r = daemon_start(daemon, &why);

	if (r == PW_OK)
		return daemon_run(daemon);
	pw_log(PW_LOG_ERROR, "", PW_KV("event", "start_failed"),
	       PW_KV("why", pw_status_text(r)), PW_KV("detail", pw_buf_str(&why)),
	       PW_KV_END);
	return r;
}

/* A generation of the database's data comes as a whole and goes as a whole: what it took
 * goes back to the system (mallopt(3)). */
static void return_memory(void)
{
	(void)mallopt(M_ARENA_MAX, 2);
	(void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 64 * 1024);
}

int main(int argc, char **argv)
{
	PW_AUTO(daemon_done) struct daemon daemon = { .settings = NULL };
	int code = pw_options_start(&daemon.options, &settings_schema, argc, argv,
	                            &daemon.settings);

	if (code != PW_OPTIONS_RUN)
		return code;
	return_memory();
	return run(&daemon) == PW_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
