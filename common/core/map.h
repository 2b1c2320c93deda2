/* A hash table from byte strings to pointers. The hash is keyed (SipHash-1-3): keys may
 * come from strangers. Keys and values are borrowed: the table copies neither. */
#pragma once

#include <stdint.h>

#include "core/str.h"

struct pw_map;

/* seed is 16 random bytes; entries_max bounds the table (1..100000000).
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_map_free */
PW_MUST_CHECK enum pw_status pw_map_new(struct pw_map **out, const uint8_t seed[16],
                                        size_t entries_max);
void pw_map_free(struct pw_map **map);

/* Set key to value (not NULL); an existing value is replaced, its old key slice stays.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT when entries_max is reached, or a key of 4 GiB */
PW_MUST_CHECK enum pw_status pw_map_put(struct pw_map *map, struct pw_str key,
                                        void *value);
/* Value of key, or NULL. */
void *pw_map_get(const struct pw_map *map, struct pw_str key);
/* Take key out; returns its value, or NULL if it was not there. */
void *pw_map_take(struct pw_map *map, struct pw_str key);
size_t pw_map_count(const struct pw_map *map);
/* Walk: start with *pos = 0; false at the end. Order is arbitrary; do not change the map.
 */
bool pw_map_next(const struct pw_map *map, size_t *pos, struct pw_str *key_out,
                 void **value_out);

/* SipHash-2-4 of s under a 16-byte key (Aumasson and Bernstein, 2012). */
uint64_t pw_siphash(const uint8_t key[16], struct pw_str s);
