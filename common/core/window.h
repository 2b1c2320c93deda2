/* At most so many in any period: a sliding window of PW_WINDOW_PARTS sub-buckets, in
 * exact integers. A sub-bucket counts as a whole until the last moment of it is a period
 * old: so no span of that length ever sees more than the limit, and what was used comes
 * back at most one sub-bucket late. Reserve, commit and refund are those of core/rate.h;
 * of a struct pw_rate only limit and period count. */
#pragma once

#include "core/rate.h"

/* A day has sub-buckets of half an hour, an hour of 75 s. */
#define PW_WINDOW_PARTS 48
/* One more: the oldest is only partly within the period. */
#define PW_WINDOW_SLOTS (PW_WINDOW_PARTS + 1)

/* All zero has used nothing: a key never seen and an idle one are the same. */
struct pw_window {
	int64_t head_us;  /* when the newest sub-bucket began, on the caller's clock */
	int64_t width_us; /* of a sub-bucket; 0 = nothing used yet */
	int64_t used;     /* sum of counts */
	int64_t reserved; /* neither committed nor refunded */
	size_t head;      /* place of the newest; the older ones are before it, in a ring
	                   */
	int64_t counts[PW_WINDOW_SLOTS];
};

/* Set cost tokens (1..PW_RATE_COUNT_MAX) aside. True if there were that many; on false
 * nothing is charged. A clock that stepped back makes what was used younger: nobody waits
 * longer than one period and a sub-bucket. */
bool pw_window_reserve(struct pw_window *window, const struct pw_rate *rate, int64_t cost,
                       int64_t now_us);
/* What was reserved is used, from now on for a period. Never fails. */
void pw_window_commit(struct pw_window *window, const struct pw_rate *rate, int64_t cost,
                      int64_t now_us);
/* What was reserved was not needed. */
void pw_window_refund(struct pw_window *window, int64_t cost);

/* Microseconds until cost tokens can be reserved, if nobody else takes any and all that
 * is reserved gets committed now; 0 = now; -1 = never (cost is above the limit). */
int64_t pw_window_retry_after(const struct pw_window *window, const struct pw_rate *rate,
                              int64_t cost, int64_t now_us);
/* Tokens that count now, reserved ones included. */
int64_t pw_window_used(const struct pw_window *window, const struct pw_rate *rate,
                       int64_t now_us);
/* When it is empty again if nothing more is used; at or before now: it is. */
int64_t pw_window_empty_at(const struct pw_window *window);

/* The period changed: keep what was used in the new one. Each sub-bucket is taken for its
 * last moment, so nothing comes back too early. */
void pw_window_change(struct pw_window *window, const struct pw_rate *to, int64_t now_us);
