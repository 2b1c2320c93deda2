/* Memory for millions of small things of a few sizes: no header and no rounding but to
 * eight bytes, what is given back is used again for the same size. Not thread-safe. */
#pragma once

#include "core/base.h"

#define CELLS_SIZE_MAX 1200

/* All zero is empty. */
struct cells {
	struct cells_free *free[CELLS_SIZE_MAX / 8 + 1]; /* by size */
	struct cells_block *blocks;
	size_t left; /* bytes unused in the first block */
};

/* Zeroed bytes (1..CELLS_SIZE_MAX), aligned for any type; NULL = no memory. */
PW_MUST_CHECK void *cells_alloc(struct cells *cells, size_t size);
/* size as it was asked for. */
void cells_give(struct cells *cells, void *cell, size_t size);
/* Frees all, what was not given back too. */
void cells_done(struct cells *cells);
