/* The settings of a running milter: read once, immutable, swapped whole at SIGHUP. A
 * session takes hold of them at its start and keeps the same ones to its end. */
#pragma once

#include "io/options.h"

struct kit_live;

/* What is computed from settings (parsed networks, looked-up addresses); either may be
 * NULL. derive runs at start and at each reload before the swap; on failure it has said
 * why. */
struct kit_live_hooks {
	enum pw_status (*derive)(void **out, const void *set, struct pw_buf *why_out);
	void (*drop)(void **derived);
};

/* First call of a milter's main: block the signals, read command line and settings, open
 * the log. hooks may be NULL.
 *
 * Returns PW_OPTIONS_RUN: go on; else the exit code, as pw_options_start.
 * Owner   *out: caller, kit_live_free, once nobody holds settings any more */
int kit_live_start(struct kit_live **out, const struct pw_settings_schema *schema,
                   const struct kit_live_hooks *hooks, int argc, char **argv);
void kit_live_free(struct kit_live **live);

/* One generation of settings. */
struct kit_held {
	const void *set;     /* the program's struct settings */
	const void *derived; /* what derive made */
};
/* Hold the present ones; thread-safe, cannot fail. */
const struct kit_held *kit_live_get(struct kit_live *live);
/* Let go; the pointer is cleared, NULL is accepted. */
void kit_live_put(struct kit_live *live, const struct kit_held **held);

/* For kit_daemon.reload, with the kit_live as its user: swap, or keep the old ones; both
 * are logged. */
enum pw_status kit_live_reload(void *live);
