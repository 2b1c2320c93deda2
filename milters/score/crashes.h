/* Messages whose readers came to a bad end: deferred twice, let pass the third time, or
 * they would stay in somebody's queue for days. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CRASHES_KEPT 256 /* messages; the one that crashed longest ago goes */
#define CRASHES_KEPT_MS INT64_C(604800000) /* a week: longer than queues keep mail */
#define CRASHES_ENOUGH 2                   /* so many, and it is not read again */

/* All zero is empty. */
struct crashes {
	struct {
		uint64_t key;
		int64_t last_ms;
		unsigned count; /* 0 = free */
	} at[CRASHES_KEPT];
};

/* How often the message of that key crashed. */
unsigned crashes_of(const struct crashes *crashes, uint64_t key, int64_t now_ms);
/* It did again; returns how often by now. */
unsigned crashes_note(struct crashes *crashes, uint64_t key, int64_t now_ms);
