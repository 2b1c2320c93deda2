#include "core/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "core/ascii.h"

#define BLOCK_SIZE ((size_t)16 * 1024)
/* What is large comes in blocks that the C library gives back to the system. */
#define LARGE_BLOCK_SIZE ((size_t)256 * 1024)

struct block {
	struct block *next;
	size_t room;
	size_t used;
	alignas(max_align_t) char data[];
};

struct pw_arena {
	struct block *blocks; /* newest first */
	size_t used;
	size_t max;
};

enum pw_status pw_arena_new(struct pw_arena **out, size_t max_bytes)
{
	struct pw_arena *arena = calloc(1, sizeof(*arena));

	if (arena == NULL)
		return PW_ERR_NOMEM;
	arena->max = max_bytes != 0 ? max_bytes : (size_t)64 * 1024 * 1024;
	*out = arena;
	return PW_OK;
}

static void drop_blocks(struct block *block)
{
	while (block != NULL) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

void pw_arena_free(struct pw_arena **arena)
{
	if (*arena == NULL)
		return;
	drop_blocks((*arena)->blocks);
	free(*arena);
	*arena = NULL;
}

void pw_arena_reset(struct pw_arena *arena)
{
	struct block *keep = arena->blocks;

	arena->used = 0;
	if (keep == NULL)
		return;
	if (keep->room > BLOCK_SIZE) {
		drop_blocks(keep);
		arena->blocks = NULL;
		return;
	}
	drop_blocks(keep->next);
	keep->next = NULL;
	keep->used = 0;
}

static struct block *add_block(struct pw_arena *arena, size_t size)
{
	size_t usual = arena->used < LARGE_BLOCK_SIZE ? BLOCK_SIZE : LARGE_BLOCK_SIZE;
	size_t room = size > usual ? size : usual;
	struct block *block = malloc(sizeof(*block) + room);

	if (block == NULL)
		return NULL;
	block->next = arena->blocks;
	block->room = room;
	block->used = 0;
	arena->blocks = block;
	return block;
}

void *pw_arena_alloc(struct pw_arena *arena, size_t size)
{
	struct block *block = arena->blocks;
	size_t step;
	char *at;

	if (size > arena->max || arena->used > arena->max - size)
		return NULL;
	step = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (step < size)
		return NULL;
	if (block == NULL || block->room - block->used < step)
		block = add_block(arena, step);
	if (block == NULL)
		return NULL;
	at = block->data + block->used;
	block->used += step;
	arena->used += step;
	return memset(at, 0, size);
}

void *pw_arena_array(struct pw_arena *arena, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return pw_arena_alloc(arena, total);
}

enum pw_status pw_arena_copy(struct pw_arena *arena, struct pw_str s, struct pw_str *out)
{
	char *at = pw_arena_alloc(arena, s.len + 1);

	if (at == NULL)
		return PW_ERR_NOMEM;
	if (s.len > 0)
		memcpy(at, s.at, s.len);
	*out = (struct pw_str){ at, s.len };
	return PW_OK;
}

enum pw_status pw_arena_copy_lower(struct pw_arena *arena, struct pw_str s,
                                   struct pw_str *out)
{
	char *at = pw_arena_alloc(arena, s.len + 1);

	if (at == NULL)
		return PW_ERR_NOMEM;
	for (size_t i = 0; i < s.len; i++)
		at[i] = pw_lower(s.at[i]);
	*out = (struct pw_str){ at, s.len };
	return PW_OK;
}

size_t pw_arena_used(const struct pw_arena *arena)
{
	return arena->used;
}
