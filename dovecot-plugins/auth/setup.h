/* The drivers' settings file: text in, struct out. Pure: reading it is module.c's. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

struct setup {
	const char *database;    /* libpq string */
	bool prepared;           /* false: through PgBouncer in transaction mode */
	const char *auth_socket; /* policyd's; "" = it is neither asked nor told */
	/* "" = the function of the schema */
	const char *passdb_query, *masterdb_query, *userdb_query, *iterate_query;
};

/* Longest settings file, bytes. */
#define SETUP_BYTES_MAX 65536

/* What holds where nothing is said. */
struct setup setup_defaults(void);

/* Read the bytes of a settings file (core/conf.h) into out, which has the defaults.
 *
 * why_out  on failure: "line 3: ..."
 *
 * Errors  PW_ERR_CONFIG, PW_ERR_NOMEM
 * Owner   texts live in arena */
PW_MUST_CHECK enum pw_status setup_parse(struct setup *out, struct pw_arena *arena,
                                         struct pw_str bytes, struct pw_buf *why_out);

/* Highest $n of a query, up to 9: so many parameters it takes. */
size_t setup_query_parameters(const char *query);
