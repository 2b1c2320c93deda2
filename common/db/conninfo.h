/* What a libpq connection string says. */
#pragma once

#include <stdbool.h>

#include "core/buf.h"

/* Does it lead to a unix socket without naming a user, so that the server's peer
 * authentication goes by who the process is? The environment (PGHOST, PGUSER...) counts
 * as in libpq. False for a string libpq cannot read. */
bool pw_db_conninfo_is_peer(const char *conninfo);
/* Append what it says for a keyword of libpq; nothing where it says nothing.
 *
 * Errors  PW_ERR_SYNTAX (libpq cannot read it; why, if not NULL, has libpq's words),
 *         PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_db_conninfo_value(struct pw_buf *out,
                                                  const char *conninfo,
                                                  const char *keyword,
                                                  struct pw_buf *why);
