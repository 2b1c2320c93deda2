/* Accounts that end at a date: nobody tells when it has come. Pure. */
#pragma once

#include "policyd/catalog.h"

/* An account whose date came so long before the first look counts as just ended. */
#define EXPIRY_BEFORE_MS (INT64_C(15) * 60 * 1000)

/* All zero is the start. */
struct expiry {
	int64_t seen_ms; /* dates up to here were looked at; wall clock */
	int64_t next_ms; /* the first one after it */
};

/* There is a new catalog: find out when the next account ends. */
void expiry_rebase(struct expiry *expiry, const struct catalog *catalog,
                   int64_t now_wall_ms);
/* Call found for each account whose date came since the last look. A clock that steps
 * back waits until it is there again. */
void expiry_look(struct expiry *expiry, const struct catalog *catalog,
                 void (*found)(void *arg, struct pw_str login), void *arg,
                 int64_t now_wall_ms);
