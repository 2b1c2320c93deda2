/* A set of hashes that grows: what a message was asked about. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is empty. */
struct seen {
	uint64_t *slots; /* 0 = free */
	size_t count, room;
};

bool seen_has(const struct seen *seen, uint64_t hash);
/* Without memory, or when there are max already, it is not remembered. */
void seen_add(struct seen *seen, uint64_t hash, size_t max);
/* Empty; the memory is kept, unless it is much. */
void seen_clear(struct seen *seen);
void seen_done(struct seen *seen);
