/* A table of at most so many entries: when it is full, the one that was used longest ago
 * is forgotten for the next. Keys may come from strangers. One thread owns it. Pure. */
#pragma once

#include <stdint.h>

#include "core/str.h"

struct lru;

/* The beginning of what the owner keeps about a key. */
struct lru_entry {
	struct lru_entry *older, *newer;
	struct pw_str key;
};

/* seed         16 random bytes
 * entries_max  1..10000000
 * entry_size   of the owner's struct, which begins with a struct lru_entry
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, lru_free */
PW_MUST_CHECK enum pw_status lru_new(struct lru **out, const uint8_t seed[16],
                                     size_t entries_max, size_t entry_size);
void lru_free(struct lru **lru);

/* The entry of key, or NULL; it is not used by that. It stays where it is until the next
 * lru_use of another key, or lru_drop. */
void *lru_find(const struct lru *lru, struct pw_str key);
/* The entry of key, now the one used last; made zeroed where there is none, key copied.
 * NULL = no memory. */
PW_MUST_CHECK void *lru_use(struct lru *lru, struct pw_str key);
/* Forget entry. */
void lru_drop(struct lru *lru, void *entry);
/* The entry used longest ago, NULL = empty; its `newer` leads to the others. */
void *lru_oldest(const struct lru *lru);
size_t lru_count(const struct lru *lru);
