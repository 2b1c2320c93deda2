#include "policyd/cells.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)256 * 1024)

struct cells_free {
	struct cells_free *next;
};

struct cells_block {
	struct cells_block *next;
	_Alignas(16) char bytes[BLOCK_BYTES];
};

static size_t rounded(size_t size)
{
	return (size + 7) / 8 * 8;
}

void *cells_alloc(struct cells *cells, size_t size)
{
	struct cells_free *cell = cells->free[rounded(size) / 8];
	struct cells_block *block;

	size = rounded(size);
	if (cell != NULL) {
		cells->free[size / 8] = cell->next;
		return memset(cell, 0, size);
	}
	if (cells->left < size) {
		if ((block = malloc(sizeof(*block))) == NULL)
			return NULL;
		block->next = cells->blocks;
		cells->blocks = block;
		cells->left = BLOCK_BYTES;
	}
	cells->left -= size;
	return memset(cells->blocks->bytes + cells->left, 0, size);
}

void cells_give(struct cells *cells, void *cell, size_t size)
{
	struct cells_free *given = cell;

	given->next = cells->free[rounded(size) / 8];
	cells->free[rounded(size) / 8] = given;
}

void cells_done(struct cells *cells)
{
	struct cells_block *next;

	for (struct cells_block *block = cells->blocks; block != NULL; block = next) {
		next = block->next;
		free(block);
	}
	*cells = (struct cells){ .left = 0 };
}
