#include "origin/stamp/patience.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/map.h"

#define ENTRIES 4096

struct patience {
	pthread_mutex_t lock;
	uint8_t seed[16];
	struct entry {
		uint64_t hash; /* 0 = free */
		int64_t first_ms, last_ms;
	} entries[ENTRIES];
};

enum pw_status patience_new(struct patience **out)
{
	PW_AUTO(patience_free) struct patience *p = calloc(1, sizeof(*p));

	if (!p)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&p->lock, NULL);
	if (getrandom(p->seed, sizeof(p->seed), 0) != (ssize_t)sizeof(p->seed))
		return PW_ERR_CRYPTO;
	*out = PW_TAKE(p);
	return PW_OK;
}

void patience_free(struct patience **patience)
{
	if (!*patience)
		return;
	pthread_mutex_destroy(&(*patience)->lock);
	free(*patience);
	*patience = NULL;
}

/* Failures are few and far between: a walk over all is nothing. */
static struct entry *find(struct patience *patience, uint64_t hash, int64_t now_ms)
{
	struct entry *oldest = patience->entries;

	for (size_t i = 0; i < ENTRIES; i++) {
		struct entry *entry = &patience->entries[i];

		if (entry->hash == hash)
			return entry;
		if (entry->last_ms < oldest->last_ms)
			oldest = entry;
	}
	*oldest = (struct entry){ .hash = hash, .first_ms = now_ms };
	return oldest;
}

int64_t patience_ms(struct patience *patience, struct pw_str value, int64_t now_ms)
{
	uint64_t hash = pw_siphash(patience->seed, value) | 1;
	struct entry *entry;
	int64_t ms;

	pthread_mutex_lock(&patience->lock);
	entry = find(patience, hash, now_ms);
	entry->last_ms = now_ms;
	ms = now_ms - entry->first_ms;
	pthread_mutex_unlock(&patience->lock);
	return ms;
}
