/* How many in how long: GCRA (a leaky bucket whose whole state is one instant), in exact
 * integers. limit tokens flow in evenly over period_us; a full bucket holds burst.
 * What may still be given back is reserved first and committed later: a reserved token is
 * not available to others, but only a commit moves the instant, so a refund is exact.
 *
 * Any span of length P sees at most burst + P * limit / period commits; with burst =
 * limit that is twice the limit in the worst period, as with every bucket. */
#pragma once

#include "core/str.h"

#define PW_RATE_COUNT_MAX ((int64_t)1 << 42) /* limit, burst, cost: 4 TiB too */
#define PW_RATE_PERIOD_MAX_US ((int64_t)366 * 86400 * 1000 * 1000) /* one leap year */

/* An empty bucket is full again after this at the latest: 100 years. */
#define PW_RATE_FILL_MAX_US ((int64_t)36525 * 86400 * 1000 * 1000)

struct pw_rate {
	int64_t limit;     /* 1..PW_RATE_COUNT_MAX tokens ... */
	int64_t period_us; /* ... in 1..PW_RATE_PERIOD_MAX_US */
	int64_t burst;     /* 1..PW_RATE_COUNT_MAX tokens at once */
};

/* All zero is a full bucket: a key never seen and an idle one are the same. */
struct pw_bucket {
	int64_t full_at_us; /* when it is full again, on the caller's clock (0 or later)
	                     */
	int64_t part;       /* 0..limit-1: a part of one microsecond, in 1/limit of it */
	int64_t reserved;   /* tokens reserved and neither committed nor refunded */
};

/* Are all three numbers in their ranges, and burst * period / limit within
 * PW_RATE_FILL_MAX_US? Every other function may only be given such rates. */
bool pw_rate_valid(const struct pw_rate *rate);

/* Set cost tokens (1..PW_RATE_COUNT_MAX) aside. True if there were that many; on false
 * none is gone. A clock that stepped back empties the bucket at most, and from then on it
 * fills again. */
bool pw_rate_reserve(struct pw_bucket *bucket, const struct pw_rate *rate, int64_t cost,
                     int64_t now_us);
/* What was reserved is used: from now on it flows back in. Never fails. */
void pw_rate_commit(struct pw_bucket *bucket, const struct pw_rate *rate, int64_t cost,
                    int64_t now_us);
/* What was reserved was not needed. */
void pw_rate_refund(struct pw_bucket *bucket, int64_t cost);
/* Reserve and commit in one. */
bool pw_rate_take(struct pw_bucket *bucket, const struct pw_rate *rate, int64_t cost,
                  int64_t now_us);

/* Microseconds until cost tokens can be reserved, rounded up, if nobody else takes any
 * and all that is reserved gets committed; 0 = now; -1 = never (cost is above burst). */
int64_t pw_rate_retry_after(const struct pw_bucket *bucket, const struct pw_rate *rate,
                            int64_t cost, int64_t now_us);

/* Tokens used and not flowed back yet, reserved ones included; parts count as whole. */
int64_t pw_rate_used(const struct pw_bucket *bucket, const struct pw_rate *rate,
                     int64_t now_us);

/* The rule changed from one rate to another: keep the number of used tokens (rounded up).
 */
void pw_rate_change(struct pw_bucket *bucket, const struct pw_rate *from,
                    const struct pw_rate *to, int64_t now_us);
