#include "dkim/keystore.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/map.h"

#define KEYS_MAX 8000000

/* By SHA-256 of algorithm and text; the text itself is not kept. */
struct shelf {
	struct pw_map *keys; /* struct pw_dkim_key, each a share of its own */
	struct pw_arena *arena;
};

struct keystore {
	uint8_t seed[16];
	struct shelf before, now; /* of the snapshot before, and of this one */
};

static enum pw_status shelf_init(struct shelf *shelf, const uint8_t seed[16])
{
	enum pw_status r = pw_map_new(&shelf->keys, seed, KEYS_MAX);

	return r == PW_OK ? pw_arena_new(&shelf->arena, (size_t)1 << 30) : r;
}

static void shelf_done(struct shelf *shelf)
{
	struct pw_str name;
	size_t pos = 0;
	void *value;

	while (shelf->keys && pw_map_next(shelf->keys, &pos, &name, &value)) {
		struct pw_dkim_key *key = value;

		pw_dkim_key_free(&key);
	}
	pw_map_free(&shelf->keys);
	pw_arena_free(&shelf->arena);
}

enum pw_status keystore_new(struct keystore **out, const uint8_t seed[16])
{
	PW_AUTO(keystore_free) struct keystore *store = calloc(1, sizeof(*store));
	enum pw_status r;

	if (!store)
		return PW_ERR_NOMEM;
	memcpy(store->seed, seed, sizeof(store->seed));
	if ((r = shelf_init(&store->before, seed)) != PW_OK ||
	    (r = shelf_init(&store->now, seed)) != PW_OK)
		return r;
	*out = PW_TAKE(store);
	return PW_OK;
}

void keystore_free(struct keystore **store)
{
	if (!*store)
		return;
	shelf_done(&(*store)->before);
	shelf_done(&(*store)->now);
	free(*store);
	*store = NULL;
}

struct digest {
	unsigned char bytes[33]; /* algorithm, SHA-256 */
};

static bool digest_of(struct digest *out, enum pw_dkim_algorithm algorithm,
                      struct pw_str text)
{
	out->bytes[0] = (unsigned char)algorithm;
	return EVP_Digest(text.at, text.len, out->bytes + 1, NULL, EVP_sha256(), NULL) ==
	       1;
}

static struct pw_str name_of(const struct digest *digest)
{
	return (struct pw_str){ (const char *)digest->bytes, sizeof(digest->bytes) };
}

static enum pw_status keep(struct shelf *shelf, struct pw_str name,
                           struct pw_dkim_key *key)
{
	struct pw_str copy;
	enum pw_status r;

	if (pw_map_get(shelf->keys, name))
		return PW_OK;
	if ((r = pw_arena_copy(shelf->arena, name, &copy)) != PW_OK ||
	    (r = pw_map_put(shelf->keys, copy, key)) != PW_OK)
		return r;
	(void)pw_dkim_key_share(key);
	return PW_OK;
}

struct pw_dkim_key *keystore_find(struct keystore *store,
                                  enum pw_dkim_algorithm algorithm, struct pw_str text)
{
	struct pw_dkim_key *key;
	struct digest digest;

	if (!digest_of(&digest, algorithm, text))
		return NULL;
	if (!(key = pw_map_get(store->now.keys, name_of(&digest)))) {
		if (!(key = pw_map_get(store->before.keys, name_of(&digest))))
			return NULL;
		(void)keep(&store->now, name_of(&digest), key);
	}
	return pw_dkim_key_share(key);
}

enum pw_status keystore_keep(struct keystore *store, enum pw_dkim_algorithm algorithm,
                             struct pw_str text, struct pw_dkim_key *key)
{
	struct digest digest;

	if (!digest_of(&digest, algorithm, text))
		return PW_ERR_CRYPTO;
	return keep(&store->now, name_of(&digest), key);
}

enum pw_status keystore_turn(struct keystore *store)
{
	struct shelf next = { NULL, NULL };
	enum pw_status r = shelf_init(&next, store->seed);

	if (r != PW_OK) {
		shelf_done(&next);
		return r;
	}
	shelf_done(&store->before);
	store->before = store->now;
	store->now = next;
	return PW_OK;
}
