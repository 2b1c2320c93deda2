/* A driver's settings, from the file Dovecot's configuration names. */
#pragma once

#include "lib.h" /* before ours: it brings a bool of its own */

#include "db/async.h"

#include "setup.h"

/* Read the settings.
 *
 * args     path of the file, or `database=conninfo` for what needs no file
 * error_r  in the data stack
 *
 * Returns 0, or -1.
 * Owner    texts live in pool */
int driver_setup(pool_t pool, const char *args, struct setup *out, const char **error_r);

/* A statement, and how many of the parameters the driver offers it takes. */
struct driver_statement {
	const struct pw_db_statement *statement;
	size_t parameters;
};

/* The schema's statement with all its parameters, or the query the settings put in its
 * place ("" = none). */
struct driver_statement driver_statement(pool_t pool, const char *query,
                                         const struct pw_db_statement *standard,
                                         size_t parameters);
