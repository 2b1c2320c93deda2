#include "policyd/repeats.h"

#include <stdlib.h>

#include "policyd/lru.h"

/* Pairs looked at in one sweep. */
#define SWEEP_MAX 1000

struct pair {
	struct lru_entry entry;
	bool is_old;
	int64_t at_ms;
	int64_t noted_ms[REPEATS_PASSWORDS_MAX];
	uint16_t passwords[REPEATS_PASSWORDS_MAX]; /* 0 = free */
};

struct repeats {
	struct lru *pairs;
};

enum pw_status repeats_new(struct repeats **out, const uint8_t seed[16])
{
	PW_AUTO(repeats_free) struct repeats *repeats = calloc(1, sizeof(*repeats));
	enum pw_status r;

	if (repeats == NULL)
		return PW_ERR_NOMEM;
	r = lru_new(&repeats->pairs, seed, REPEATS_PAIRS_MAX, sizeof(struct pair));
	if (r == PW_OK)
		*out = PW_TAKE(repeats);
	return r;
}

void repeats_free(struct repeats **repeats)
{
	if (*repeats == NULL)
		return;
	lru_free(&(*repeats)->pairs);
	free(*repeats);
	*repeats = NULL;
}

/* The place of a password in the pair, or the one to be used for it: a free one, or that
 * of the password noted longest ago. */
static size_t place_of(const struct pair *pair, int64_t password)
{
	size_t oldest = 0;

	for (size_t i = 0; i < REPEATS_PASSWORDS_MAX; i++) {
		if (pair->passwords[i] == password)
			return i;
		if (pair->passwords[oldest] != 0 &&
		    (pair->passwords[i] == 0 ||
		     pair->noted_ms[i] < pair->noted_ms[oldest]))
			oldest = i;
	}
	return oldest;
}

struct repeats_age repeats_note(struct repeats *repeats, struct pw_str pair,
                                int64_t password, int64_t now_ms)
{
	struct repeats_age age = { REPEATS_NEVER, REPEATS_NEVER };
	struct pair *p = lru_use(repeats->pairs, pair);
	size_t i;

	if (p == NULL)
		return age;
	if (p->is_old)
		age.pair_ms = now_ms - p->at_ms;
	p->is_old = true;
	p->at_ms = now_ms;
	if (password <= 0 || password > UINT16_MAX)
		return age;
	i = place_of(p, password);
	if (p->passwords[i] == password)
		age.password_ms = now_ms - p->noted_ms[i];
	p->passwords[i] = (uint16_t)password;
	p->noted_ms[i] = now_ms;
	return age;
}

void repeats_sweep(struct repeats *repeats, int64_t since_ms)
{
	struct pair *oldest;

	for (int i = 0; i < SWEEP_MAX; i++) {
		oldest = lru_oldest(repeats->pairs);
		if (oldest == NULL || oldest->at_ms >= since_ms)
			break;
		lru_drop(repeats->pairs, oldest);
	}
}
