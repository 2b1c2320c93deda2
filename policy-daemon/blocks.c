#include "policyd/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "core/map.h"

struct block {
	int64_t until_ms;
	size_t len;
	char login[];
};

struct blocks {
	struct pw_map *map;
};

enum pw_status blocks_new(struct blocks **out, const uint8_t seed[16])
{
	PW_AUTO(blocks_free) struct blocks *blocks = calloc(1, sizeof(*blocks));
	enum pw_status r;

	if (blocks == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_map_new(&blocks->map, seed, BLOCKS_MAX)) != PW_OK)
		return r;
	*out = PW_TAKE(blocks);
	return PW_OK;
}

static void forget(struct blocks *blocks, const struct catalog *catalog, int64_t now_ms)
{
	struct pw_str login;
	void *block;
	size_t pos = 0;

	while (pw_map_next(blocks->map, &pos, &login, &block)) {
		if (((struct block *)block)->until_ms > now_ms &&
		    (catalog == NULL || catalog_blocked_until_ms(catalog, login) == 0))
			continue;
		pw_map_take(blocks->map, login);
		free(block);
		pos--; /* another may have moved here */
	}
}

void blocks_free(struct blocks **blocks)
{
	if (*blocks == NULL)
		return;
	if ((*blocks)->map != NULL)
		forget(*blocks, NULL, INT64_MAX);
	pw_map_free(&(*blocks)->map);
	free(*blocks);
	*blocks = NULL;
}

void blocks_put(struct blocks *blocks, struct pw_str login, int64_t until_ms,
                int64_t now_ms)
{
	struct block *block = pw_map_get(blocks->map, login);

	if (block != NULL) {
		block->until_ms = until_ms;
		return;
	}
	if (pw_map_count(blocks->map) == BLOCKS_MAX)
		forget(blocks, NULL, now_ms);
	if ((block = malloc(sizeof(*block) + login.len)) == NULL)
		return;
	*block = (struct block){ .until_ms = until_ms, .len = login.len };
	memcpy(block->login, login.at, login.len);
	if (pw_map_put(blocks->map, (struct pw_str){ block->login, block->len }, block) !=
	    PW_OK)
		free(block);
}

int64_t blocks_until_ms(const struct blocks *blocks, const struct catalog *catalog,
                        struct pw_str login)
{
	const struct block *block = pw_map_get(blocks->map, login);
	int64_t until_ms = catalog_blocked_until_ms(catalog, login);

	return block != NULL && block->until_ms > until_ms ? block->until_ms : until_ms;
}

void blocks_follow(struct blocks *blocks, const struct catalog *catalog, int64_t now_ms)
{
	forget(blocks, catalog, now_ms);
}
