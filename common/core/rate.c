#include "core/rate.h"

/* All sums are in units of 1/limit microseconds, in which one token weighs exactly
 * period_us: 3 in 7 s needs no rounding. Largest value: now_us * limit < 2^63 * 2^42. */
__extension__ typedef __int128 wide;

bool pw_rate_valid(const struct pw_rate *rate)
{
	return rate->limit >= 1 && rate->limit <= PW_RATE_COUNT_MAX &&
	       rate->period_us >= 1 && rate->period_us <= PW_RATE_PERIOD_MAX_US &&
	       rate->burst >= 1 && rate->burst <= PW_RATE_COUNT_MAX &&
	       (wide)rate->burst * rate->period_us <=
	               (wide)PW_RATE_FILL_MAX_US * rate->limit;
}

static wide raw_gap(const struct pw_bucket *bucket, const struct pw_rate *rate,
                    int64_t now_us)
{
	return ((wide)bucket->full_at_us - now_us) * rate->limit + bucket->part;
}

/* How far the bucket is from full: 0 .. burst tokens. Further away than empty means that
 * the clock stepped back or the burst shrank: it counts as empty, so nobody waits longer
 * than one filling. */
static wide missing(const struct pw_bucket *bucket, const struct pw_rate *rate,
                    int64_t now_us)
{
	wide gap = raw_gap(bucket, rate, now_us);
	wide empty = (wide)rate->burst * rate->period_us;

	if (gap < 0)
		return 0;
	return gap > empty ? empty : gap;
}

static void set_missing(struct pw_bucket *bucket, const struct pw_rate *rate, wide gap,
                        int64_t now_us)
{
	bucket->full_at_us = now_us + (int64_t)(gap / rate->limit);
	bucket->part = (int64_t)(gap % rate->limit);
}

/* By how much the bucket lacks what is reserved and cost more; <= 0: it has that. */
static wide lack(const struct pw_bucket *bucket, const struct pw_rate *rate, int64_t cost,
                 int64_t now_us)
{
	return missing(bucket, rate, now_us) +
	       ((wide)bucket->reserved + cost - rate->burst) * rate->period_us;
}

bool pw_rate_reserve(struct pw_bucket *bucket, const struct pw_rate *rate, int64_t cost,
                     int64_t now_us)
{
	wide gap = missing(bucket, rate, now_us);

	if (raw_gap(bucket, rate, now_us) > gap && gap > 0)
		set_missing(bucket, rate, gap, now_us); /* empty: it fills from now on */
	if (lack(bucket, rate, cost, now_us) > 0)
		return false;
	bucket->reserved += cost;
	return true;
}

void pw_rate_commit(struct pw_bucket *bucket, const struct pw_rate *rate, int64_t cost,
                    int64_t now_us)
{
	wide gap = missing(bucket, rate, now_us) + (wide)cost * rate->period_us;

	pw_rate_refund(bucket, cost);
	set_missing(bucket, rate, gap, now_us);
}

void pw_rate_refund(struct pw_bucket *bucket, int64_t cost)
{
	bucket->reserved = bucket->reserved > cost ? bucket->reserved - cost : 0;
}

bool pw_rate_take(struct pw_bucket *bucket, const struct pw_rate *rate, int64_t cost,
                  int64_t now_us)
{
	if (!pw_rate_reserve(bucket, rate, cost, now_us))
		return false;
	pw_rate_commit(bucket, rate, cost, now_us);
	return true;
}

int64_t pw_rate_retry_after(const struct pw_bucket *bucket, const struct pw_rate *rate,
                            int64_t cost, int64_t now_us)
{
	wide gap = lack(bucket, rate, cost, now_us);

	if (cost > rate->burst)
		return -1;
	return gap <= 0 ? 0 : (int64_t)((gap + rate->limit - 1) / rate->limit);
}

int64_t pw_rate_used(const struct pw_bucket *bucket, const struct pw_rate *rate,
                     int64_t now_us)
{
	wide gap = missing(bucket, rate, now_us);

	return bucket->reserved +
	       (int64_t)((gap + rate->period_us - 1) / rate->period_us);
}

void pw_rate_change(struct pw_bucket *bucket, const struct pw_rate *from,
                    const struct pw_rate *to, int64_t now_us)
{
	wide gap = missing(bucket, from, now_us);
	wide whole = gap / from->period_us, part = gap % from->period_us;

	gap = whole * to->period_us +
	      (part * to->period_us + from->period_us - 1) / from->period_us;
	set_missing(bucket, to, gap, now_us);
}
