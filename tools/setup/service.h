/* Services of this host: by systemd where it runs, else by their own programs. */
#pragma once

#include <stdbool.h>

bool setup_has_systemd(void);
/* Does systemd know it, and is it enabled and running? */
bool setup_service_runs(const char *name);
/* What to do with a service: "reload" (start it, if it does not run), "restart" or
 * "enable". What cannot be done because it is not there or does not run is said and is no
 * failure.
 *
 * Returns false after writing to standard error what failed. */
bool setup_serve(const char *name, const char *what);
/* Run a program; its words go to standard error when it fails. */
bool setup_run(const char *const *argv);
