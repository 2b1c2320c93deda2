#include "policyd/seen.h"

#include <stdlib.h>
#include <string.h>

/* A message with few recipients is the rule: its memory is kept for the next. */
#define ROOM_KEPT 64

static uint64_t *place_of(const struct seen *seen, uint64_t hash)
{
	size_t i = hash & (seen->room - 1);

	while (seen->slots[i] != 0 && seen->slots[i] != hash)
		i = (i + 1) & (seen->room - 1);
	return &seen->slots[i];
}

/* 0 is no hash. */
static uint64_t shown(uint64_t hash)
{
	return hash != 0 ? hash : 1;
}

bool seen_has(const struct seen *seen, uint64_t hash)
{
	return seen->count > 0 && *place_of(seen, shown(hash)) != 0;
}

static bool grow(struct seen *seen)
{
	struct seen bigger = { .count = seen->count,
		               .room = seen->room != 0 ? seen->room * 2 : 16 };

	if ((bigger.slots = calloc(bigger.room, sizeof(*bigger.slots))) == NULL)
		return false;
	for (size_t i = 0; i < seen->room; i++)
		if (seen->slots[i] != 0)
			*place_of(&bigger, seen->slots[i]) = seen->slots[i];
	free(seen->slots);
	*seen = bigger;
	return true;
}

void seen_add(struct seen *seen, uint64_t hash, size_t max)
{
	uint64_t *place;

	if (seen->count >= max || ((seen->count + 1) * 2 > seen->room && !grow(seen)))
		return;
	place = place_of(seen, shown(hash));
	seen->count += *place == 0;
	*place = shown(hash);
}

void seen_clear(struct seen *seen)
{
	if (seen->room > ROOM_KEPT)
		seen_done(seen);
	else if (seen->count > 0)
		memset(seen->slots, 0, seen->room * sizeof(*seen->slots));
	seen->count = 0;
}

void seen_done(struct seen *seen)
{
	free(seen->slots);
	*seen = (struct seen){ .slots = NULL };
}
