#include "core/map.h"

#include <stdlib.h>
#include <string.h>

/* Open addressing with linear probing; removal shifts the run back, so there are no
 * tombstones and an unsuccessful search ends at the first empty slot. */
struct slot {
	const char *key;
	void *value; /* NULL = empty */
	uint32_t key_len;
	uint32_t hash; /* its lower half: no table has more slots */
};

struct pw_map {
	struct slot *slots;
	size_t mask; /* slots - 1, a power of two less one; 0 = nothing allocated yet */
	size_t count;
	size_t max;
	uint8_t seed[16];
};

static inline uint64_t rotl(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

/* Inline: every question is hashed a dozen times. */
static inline __attribute__((always_inline)) void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline uint64_t load64(const void *at, size_t len)
{
	const unsigned char *p = at;
	uint64_t x = 0;

	for (size_t i = 0; i < len; i++)
		x |= (uint64_t)p[i] << (8 * i);
	return x;
}

/* Written out, the compiler makes one load of it. */
static inline uint64_t load_whole(const void *at)
{
	const unsigned char *p = at;

	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
	       (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

uint64_t pw_siphash(const uint8_t key[16], struct pw_str s)
{
	uint64_t k0 = load_whole(key), k1 = load_whole(key + 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
		          k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	size_t whole = s.len & ~(size_t)7;
	uint64_t last = (uint64_t)s.len << 56;

	for (size_t i = 0; i < whole; i += 8) {
		uint64_t m = load_whole(s.at + i);

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	if (s.len > whole)
		last |= load64(s.at + whole, s.len - whole);
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

enum pw_status pw_map_new(struct pw_map **out, const uint8_t seed[16], size_t entries_max)
{
	struct pw_map *map = calloc(1, sizeof(*map));

	if (map == NULL)
		return PW_ERR_NOMEM;
	memcpy(map->seed, seed, sizeof(map->seed));
	map->max = entries_max;
	*out = map;
	return PW_OK;
}

void pw_map_free(struct pw_map **map)
{
	if (*map == NULL)
		return;
	free((*map)->slots);
	free(*map);
	*map = NULL;
}

static struct pw_str key_of(const struct slot *slot)
{
	return (struct pw_str){ slot->key, slot->key_len };
}

static uint32_t hash_of(const struct pw_map *map, struct pw_str key)
{
	return (uint32_t)pw_siphash(map->seed, key);
}

/* The slot that holds key, or the empty slot where it would go. The table is never full.
 */
static struct slot *probe(const struct pw_map *map, struct pw_str key, uint32_t hash)
{
	size_t i = hash & map->mask;

	while (map->slots[i].value != NULL &&
	       !(map->slots[i].hash == hash && pw_str_eq(key_of(&map->slots[i]), key)))
		i = (i + 1) & map->mask;
	return &map->slots[i];
}

static enum pw_status grow(struct pw_map *map)
{
	size_t old_slots = map->slots != NULL ? map->mask + 1 : 0;
	size_t new_slots = old_slots != 0 ? old_slots * 2 : 16;
	struct slot *old = map->slots;
	struct slot *slots = calloc(new_slots, sizeof(*slots));

	if (slots == NULL)
		return PW_ERR_NOMEM;
	map->slots = slots;
	map->mask = new_slots - 1;
	for (size_t i = 0; i < old_slots; i++)
		if (old[i].value != NULL)
			*probe(map, key_of(&old[i]), old[i].hash) = old[i];
	free(old);
	return PW_OK;
}

enum pw_status pw_map_put(struct pw_map *map, struct pw_str key, void *value)
{
	uint32_t hash = hash_of(map, key);
	struct slot *slot;
	enum pw_status r;

	if (key.len > UINT32_MAX)
		return PW_ERR_LIMIT;
	if (map->slots == NULL || (map->count + 1) * 8 > (map->mask + 1) * 7)
		if ((r = grow(map)) != PW_OK)
			return r;
	slot = probe(map, key, hash);
	if (slot->value == NULL) {
		if (map->count >= map->max)
			return PW_ERR_LIMIT;
		*slot = (struct slot){ key.at, value, (uint32_t)key.len, hash };
		map->count++;
	}
	slot->value = value;
	return PW_OK;
}

void *pw_map_get(const struct pw_map *map, struct pw_str key)
{
	if (map->count == 0)
		return NULL;
	return probe(map, key, hash_of(map, key))->value;
}

void *pw_map_take(struct pw_map *map, struct pw_str key)
{
	struct slot *slot;
	size_t hole, i;
	void *value;

	if (map->count == 0)
		return NULL;
	slot = probe(map, key, hash_of(map, key));
	if ((value = slot->value) == NULL)
		return NULL;
	hole = (size_t)(slot - map->slots);
	for (i = (hole + 1) & map->mask; map->slots[i].value != NULL;
	     i = (i + 1) & map->mask) {
		size_t home = map->slots[i].hash & map->mask;

		/* may this entry move back into the hole: is its home not after the hole?
		 */
		if (((i - home) & map->mask) >= ((i - hole) & map->mask)) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole] = (struct slot){ 0 };
	map->count--;
	return value;
}

size_t pw_map_count(const struct pw_map *map)
{
	return map->count;
}

bool pw_map_next(const struct pw_map *map, size_t *pos, struct pw_str *key_out,
                 void **value_out)
{
	size_t slots = map->slots != NULL ? map->mask + 1 : 0;

	for (; *pos < slots; (*pos)++) {
		const struct slot *slot = &map->slots[*pos];

		if (slot->value == NULL)
			continue;
		*key_out = key_of(slot);
		*value_out = slot->value;
		(*pos)++;
		return true;
	}
	return false;
}
