/* Whatever is taken, given back and waited for: no span of a period sees more than the
 * limit, and what was used is free again a period and a sub-bucket later at the latest.
 * The same steps with a bucket: never more than its burst and what flowed in. Clocks that
 * step back never free anything. */
#include <stdlib.h>
#include <string.h>

#include "core/window.h"

#define STEPS_MAX 500
#define START_US ((int64_t)1000 * 1000 * 1000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct taken {
	int64_t cost, at_us;
};

static int64_t sum_since(const struct taken *taken, size_t count, int64_t after_us)
{
	int64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += taken[i].at_us > after_us ? taken[i].cost : 0;
	return sum;
}

static void check_window(const struct pw_window *window, const struct pw_rate *rate,
                         const struct taken *taken, size_t count, int64_t now_us)
{
	int64_t width_us = (rate->period_us + PW_WINDOW_PARTS - 1) / PW_WINDOW_PARTS;
	int64_t whole_us = PW_WINDOW_SLOTS * width_us;
	int64_t used = pw_window_used(window, rate, now_us) - window->reserved;

	if (sum_since(taken, count, now_us - rate->period_us) > rate->limit ||
	    used < sum_since(taken, count, now_us - rate->period_us) ||
	    used > sum_since(taken, count, now_us - whole_us) ||
	    pw_window_retry_after(window, rate, 1, now_us) > whole_us)
		abort();
}

static bool take(struct pw_window *window, const struct pw_rate *rate, int64_t cost,
                 bool is_used, int64_t now_us)
{
	int64_t wait_us = pw_window_retry_after(window, rate, cost, now_us);

	if (pw_window_reserve(window, rate, cost, now_us) != (wait_us == 0))
		abort();
	if (wait_us != 0)
		return false;
	if (is_used)
		pw_window_commit(window, rate, cost, now_us);
	else
		pw_window_refund(window, cost);
	return is_used;
}

static void check_bucket(struct pw_bucket *bucket, const struct pw_rate *rate,
                         int64_t cost, int64_t *sum, int64_t now_us)
{
	__extension__ __int128 most =
		(__int128)(now_us - START_US) * rate->limit / rate->period_us +
		rate->burst;

	if (pw_rate_take(bucket, rate, cost, now_us))
		*sum += cost;
	if (*sum > most)
		abort();
}

/* The real time now_us only grows; the clock the window is given may step back. */
static void play(const uint8_t *data, size_t size, const struct pw_rate *rate)
{
	static struct taken taken[STEPS_MAX];
	struct pw_window window = { 0 };
	struct pw_bucket bucket = { 0 };
	int64_t now_us = START_US, back_us = 0, sum = 0;
	size_t count = 0;

	for (size_t i = 0; i + 2 < size && i / 3 < STEPS_MAX; i += 3) {
		int64_t cost = 1 + data[i + 1] % 7;

		now_us += (int64_t)data[i] * data[i] * rate->period_us / 20000;
		if (data[i + 2] % 16 == 1)
			back_us += (int64_t)data[i + 2] * rate->period_us / 100;
		if (take(&window, rate, cost, data[i + 2] % 4 != 3, now_us - back_us))
			taken[count++] = (struct taken){ cost, now_us };
		if (back_us == 0)
			check_window(&window, rate, taken, count, now_us);
		else if (sum_since(taken, count, now_us - rate->period_us) > rate->limit)
			abort();
		check_bucket(&bucket, rate, cost, &sum, now_us);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_rate rate;

	if (size < 4)
		return 0;
	rate = (struct pw_rate){ 1 + data[0], 1 + data[1] * 1000 + data[2], 1 + data[3] };
	play(data + 4, size - 4, &rate);
	return 0;
}
