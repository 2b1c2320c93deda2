#include "core/map.h"

#include <stdlib.h>
#include <string.h>

/* Open addressing with linear probing, where who stands farther from home goes first
 * (Robin Hood hashing: Celis, 1986): a search ends as soon as an entry stands nearer to
 * its home than the key would. Removal shifts those behind back, so there are no
 * tombstones. */
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
static inline __attribute__((always_inline)) void sip_rounds(uint64_t v[4], int count)
{
	for (int i = 0; i < count; i++) {
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
}

/* Written out, the compiler makes one load of it. */
static inline uint64_t load_whole(const void *at)
{
	const unsigned char *p = at;

	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
	       (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

/* The bytes behind the last whole word. Of a longer key they are the upper ones of its
 * last eight: a loop that ends after one byte or seven is guessed wrong each time. */
static inline uint64_t load_rest(struct pw_str s, size_t whole)
{
	uint64_t x = 0;

	if (s.len == whole)
		return 0;
	if (whole > 0)
		return load_whole(s.at + s.len - 8) >> (8 * (8 - (s.len - whole)));
	for (size_t i = 0; i < s.len; i++)
		x |= (uint64_t)(unsigned char)s.at[i] << (8 * i);
	return x;
}

/* SipHash-c-d. */
static inline __attribute__((always_inline)) uint64_t sip(const uint8_t key[16],
                                                          struct pw_str s, int c, int d)
{
	uint64_t k0 = load_whole(key), k1 = load_whole(key + 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
		          k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	size_t whole = s.len & ~(size_t)7;
	uint64_t last = (uint64_t)s.len << 56 | load_rest(s, whole);

	for (size_t i = 0; i < whole; i += 8) {
		uint64_t m = load_whole(s.at + i);

		v[3] ^= m;
		sip_rounds(v, c);
		v[0] ^= m;
	}
	v[3] ^= last;
	sip_rounds(v, c);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t pw_siphash(const uint8_t key[16], struct pw_str s)
{
	return sip(key, s, 2, 4);
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

/* Nothing of it is seen from outside: one round a word is enough against who picks keys
 * that meet (as the authors say of SipHash-1-3, and Python and Rust do). */
static uint32_t hash_of(const struct pw_map *map, struct pw_str key)
{
	return (uint32_t)sip(map->seed, key, 1, 3);
}

/* How far from its home an entry stands there. */
static size_t distance(const struct pw_map *map, size_t at)
{
	return (at - map->slots[at].hash) & map->mask;
}

/* The slot that holds key, or NULL. */
static struct slot *find(const struct pw_map *map, struct pw_str key, uint32_t hash)
{
	size_t i = hash & map->mask;

	for (size_t far = 0; map->slots[i].value != NULL && distance(map, i) >= far;
	     far++) {
		if (map->slots[i].hash == hash && pw_str_eq(key_of(&map->slots[i]), key))
			return &map->slots[i];
		i = (i + 1) & map->mask;
	}
	return NULL;
}

/* Of an entry whose key is not in the table, which is not full. */
static void place(struct pw_map *map, struct slot entry)
{
	size_t i = entry.hash & map->mask;

	for (size_t far = 0; map->slots[i].value != NULL; far++) {
		if (distance(map, i) < far) {
			struct slot richer = map->slots[i];

			far = distance(map, i);
			map->slots[i] = entry;
			entry = richer;
		}
		i = (i + 1) & map->mask;
	}
	map->slots[i] = entry;
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
			place(map, old[i]);
	free(old);
	return PW_OK;
}

enum pw_status pw_map_put(struct pw_map *map, struct pw_str key, void *value)
{
	uint32_t hash = hash_of(map, key);
	struct slot *slot = map->count > 0 ? find(map, key, hash) : NULL;
	enum pw_status r;

	if (slot != NULL) {
		slot->value = value;
		return PW_OK;
	}
	if (key.len > UINT32_MAX || map->count >= map->max)
		return PW_ERR_LIMIT;
	if (map->slots == NULL || (map->count + 1) * 8 > (map->mask + 1) * 7)
		if ((r = grow(map)) != PW_OK)
			return r;
	place(map, (struct slot){ key.at, value, (uint32_t)key.len, hash });
	map->count++;
	return PW_OK;
}

void *pw_map_get(const struct pw_map *map, struct pw_str key)
{
	const struct slot *slot;

	if (map->count == 0)
		return NULL;
	slot = find(map, key, hash_of(map, key));
	return slot != NULL ? slot->value : NULL;
}

void *pw_map_take(struct pw_map *map, struct pw_str key)
{
	struct slot *slot = map->count > 0 ? find(map, key, hash_of(map, key)) : NULL;
	size_t hole, next;
	void *value;

	if (slot == NULL)
		return NULL;
	value = slot->value;
	hole = (size_t)(slot - map->slots);
	next = (hole + 1) & map->mask;
	while (map->slots[next].value != NULL && distance(map, next) > 0) {
		map->slots[hole] = map->slots[next];
		hole = next;
		next = (next + 1) & map->mask;
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
