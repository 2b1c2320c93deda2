/* Memory of one message: allocate freely, one reset at its end. Not
 * thread-safe; nothing allocated here is freed one by one or runs code when it goes. */
#pragma once

#include <stdint.h>

#include "core/str.h"

struct pw_arena;

/* max_bytes is the most the arena will ever hold; 0 = 64 MiB.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_arena_free */
PW_MUST_CHECK enum pw_status pw_arena_new(struct pw_arena **out, size_t max_bytes);
void pw_arena_free(struct pw_arena **arena);
/* Forget everything, keep one block. */
void pw_arena_reset(struct pw_arena *arena);

/* Zeroed memory, aligned for any type; NULL when memory or max_bytes is exhausted. */
PW_MUST_CHECK void *pw_arena_alloc(struct pw_arena *arena, size_t size);
/* The same for count elements; NULL too when the product overflows. */
PW_MUST_CHECK void *pw_arena_array(struct pw_arena *arena, size_t count, size_t size);

/* Copy of s (a NUL follows it).
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_arena_copy(struct pw_arena *arena, struct pw_str s,
                                           struct pw_str *out);
/* The same with ASCII letters in lower case. */
PW_MUST_CHECK enum pw_status pw_arena_copy_lower(struct pw_arena *arena, struct pw_str s,
                                                 struct pw_str *out);
/* Bytes handed out since the last reset. */
size_t pw_arena_used(const struct pw_arena *arena);
