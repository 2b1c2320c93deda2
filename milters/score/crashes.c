#include "score/crashes.h"

#include <stdbool.h>

static bool is_there(const struct crashes *crashes, size_t i, uint64_t key,
                     int64_t now_ms)
{
	return crashes->at[i].count > 0 && crashes->at[i].key == key &&
	       now_ms - crashes->at[i].last_ms < CRASHES_KEPT_MS;
}

unsigned crashes_of(const struct crashes *crashes, uint64_t key, int64_t now_ms)
{
	for (size_t i = 0; i < CRASHES_KEPT; i++)
		if (is_there(crashes, i, key, now_ms))
			return crashes->at[i].count;
	return 0;
}

/* Its own place, else a free one, else that of the one that crashed longest ago. */
static size_t place_for(const struct crashes *crashes, uint64_t key, int64_t now_ms)
{
	size_t best = 0;

	for (size_t i = 0; i < CRASHES_KEPT; i++) {
		if (is_there(crashes, i, key, now_ms))
			return i;
		if (crashes->at[i].last_ms < crashes->at[best].last_ms)
			best = i;
	}
	return best;
}

unsigned crashes_note(struct crashes *crashes, uint64_t key, int64_t now_ms)
{
	unsigned count = crashes_of(crashes, key, now_ms) + 1;
	size_t i = place_for(crashes, key, now_ms);

	crashes->at[i].key = key;
	crashes->at[i].last_ms = now_ms;
	crashes->at[i].count = count;
	return count;
}
