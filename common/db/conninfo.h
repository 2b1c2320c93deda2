/* What a libpq connection string says. */
#pragma once

#include <stdbool.h>

/* Does it lead to a unix socket without naming a user, so that the server's peer
 * authentication goes by who the process is? The environment (PGHOST, PGUSER...) counts
 * as in libpq. False for a string libpq cannot read. */
bool pw_db_conninfo_is_peer(const char *conninfo);
