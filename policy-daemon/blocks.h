/* Logins that a limit suspended from sending just now: until the database tells of them,
 * from then on its word counts, so that an admin can take it back. One thread owns it.
 * Pure. */
#pragma once

#include "policyd/catalog.h"

#define BLOCKS_MAX 10000

struct blocks;

/* Errors  PW_ERR_NOMEM
 * Owner   caller, blocks_free */
PW_MUST_CHECK enum pw_status blocks_new(struct blocks **out, const uint8_t seed[16]);
void blocks_free(struct blocks **blocks);

/* Without memory, or with BLOCKS_MAX, it is not remembered: the database will tell.
 *
 * until_ms  wall clock */
void blocks_put(struct blocks *blocks, struct pw_str login, int64_t until_ms,
                int64_t now_ms);
/* The later of what is remembered and what the catalog says; 0 = it may send. */
int64_t blocks_until_ms(const struct blocks *blocks, const struct catalog *catalog,
                        struct pw_str login);
/* There is another catalog: forget those it tells of, and those that are over. */
void blocks_follow(struct blocks *blocks, const struct catalog *catalog, int64_t now_ms);
