/* Private keys in the database that are in clear, or under a host key that is to go, are
 * sealed. Part of the maker, in its thread. */
#pragma once

#include "db/pool.h"
#include "mail/dkim_vault.h"

struct sealer;

/* path: file of the host key; copied.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, sealer_free */
PW_MUST_CHECK enum pw_status sealer_new(struct sealer **out, const char *path);
void sealer_free(struct sealer **sealer);
/* Read the host key, make it where nothing is sealed yet, say to the database which ones
 * this node has, and seal what is to be sealed. Failures are logged once.
 *
 * Returns true if there is a host key to seal with. */
bool sealer_look(struct sealer *sealer, struct pw_db *db);
/* After sealer_look said true. */
const struct pw_vault *sealer_vault(const struct sealer *sealer);
