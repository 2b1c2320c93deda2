#include "policyd/lru.h"

#include <stdlib.h>
#include <string.h>

#include "core/map.h"

struct lru {
	struct pw_map *entries;
	struct lru_entry *oldest, *newest;
	size_t entries_max, entry_size;
};

enum pw_status lru_new(struct lru **out, const uint8_t seed[16], size_t entries_max,
                       size_t entry_size)
{
	PW_AUTO(lru_free) struct lru *lru = calloc(1, sizeof(*lru));
	enum pw_status r;

	if (lru == NULL)
		return PW_ERR_NOMEM;
	lru->entries_max = entries_max;
	lru->entry_size = entry_size;
	if ((r = pw_map_new(&lru->entries, seed, entries_max)) != PW_OK)
		return r;
	*out = PW_TAKE(lru);
	return PW_OK;
}

void lru_free(struct lru **lru)
{
	if (*lru == NULL)
		return;
	while ((*lru)->oldest != NULL)
		lru_drop(*lru, (*lru)->oldest);
	pw_map_free(&(*lru)->entries);
	free(*lru);
	*lru = NULL;
}

static void unlink_entry(struct lru *lru, struct lru_entry *entry)
{
	*(entry->older != NULL ? &entry->older->newer : &lru->oldest) = entry->newer;
	*(entry->newer != NULL ? &entry->newer->older : &lru->newest) = entry->older;
}

static void append_entry(struct lru *lru, struct lru_entry *entry)
{
	entry->older = lru->newest;
	entry->newer = NULL;
	*(lru->newest != NULL ? &lru->newest->newer : &lru->oldest) = entry;
	lru->newest = entry;
}

void *lru_find(const struct lru *lru, struct pw_str key)
{
	return pw_map_get(lru->entries, key);
}

static struct lru_entry *insert(struct lru *lru, struct pw_str key)
{
	struct lru_entry *entry = calloc(1, lru->entry_size + key.len + 1);
	char *room;

	if (entry == NULL)
		return NULL;
	room = (char *)entry + lru->entry_size;
	if (key.len > 0)
		memcpy(room, key.at, key.len);
	entry->key = (struct pw_str){ room, key.len };
	if (lru_count(lru) >= lru->entries_max)
		lru_drop(lru, lru->oldest);
	if (pw_map_put(lru->entries, entry->key, entry) != PW_OK) {
		free(entry);
		return NULL;
	}
	append_entry(lru, entry);
	return entry;
}

void *lru_use(struct lru *lru, struct pw_str key)
{
	struct lru_entry *entry = lru_find(lru, key);

	if (entry == NULL)
		return insert(lru, key);
	unlink_entry(lru, entry);
	append_entry(lru, entry);
	return entry;
}

void lru_drop(struct lru *lru, void *entry)
{
	struct lru_entry *gone = entry;

	pw_map_take(lru->entries, gone->key);
	unlink_entry(lru, gone);
	free(gone);
}

void *lru_oldest(const struct lru *lru)
{
	return lru->oldest;
}

size_t lru_count(const struct lru *lru)
{
	return pw_map_count(lru->entries);
}
