#include "core/window.h"

static int64_t width_of(const struct pw_rate *rate)
{
	return (rate->period_us + PW_WINDOW_PARTS - 1) / PW_WINDOW_PARTS;
}

static size_t place(const struct pw_window *window, size_t age)
{
	return (window->head + PW_WINDOW_SLOTS - age) % PW_WINDOW_SLOTS;
}

/* Tokens of the sub-bucket that is age older than the newest. */
static int64_t count_of(const struct pw_window *window, size_t age)
{
	return window->counts[place(window, age)];
}

/* How many sub-buckets of the window are too old at now_us; PW_WINDOW_SLOTS = all. */
static size_t expired(const struct pw_window *window, int64_t now_us)
{
	int64_t steps;

	if (window->width_us == 0 || now_us <= window->head_us)
		return 0;
	steps = (now_us - window->head_us) / window->width_us;
	return steps < PW_WINDOW_SLOTS ? (size_t)steps : PW_WINDOW_SLOTS;
}

/* Bring the newest sub-bucket to now. */
static void advance(struct pw_window *window, const struct pw_rate *rate, int64_t now_us)
{
	size_t steps = expired(window, now_us);

	for (size_t i = 0; i < steps; i++) {
		window->head = (window->head + 1) % PW_WINDOW_SLOTS;
		window->used -= window->counts[window->head];
		window->counts[window->head] = 0;
	}
	if (window->used == 0) { /* its sub-buckets begin with the next use */
		window->width_us = width_of(rate);
		window->head_us = now_us;
	} else if (now_us < window->head_us) {
		window->head_us = now_us; /* the clock stepped back */
	} else {
		window->head_us += (int64_t)steps * window->width_us;
	}
}

/* Tokens that count at now_us, without moving anything. */
static int64_t counted(const struct pw_window *window, int64_t now_us)
{
	size_t gone = expired(window, now_us);
	int64_t used = window->used;

	for (size_t i = 0; i < gone; i++)
		used -= count_of(window, PW_WINDOW_SLOTS - 1 - i);
	return used;
}

bool pw_window_reserve(struct pw_window *window, const struct pw_rate *rate, int64_t cost,
                       int64_t now_us)
{
	advance(window, rate, now_us);
	if (window->used + window->reserved > rate->limit - cost)
		return false;
	window->reserved += cost;
	return true;
}

void pw_window_commit(struct pw_window *window, const struct pw_rate *rate, int64_t cost,
                      int64_t now_us)
{
	pw_window_refund(window, cost);
	advance(window, rate, now_us);
	window->counts[window->head] += cost;
	window->used += cost;
}

void pw_window_refund(struct pw_window *window, int64_t cost)
{
	window->reserved = window->reserved > cost ? window->reserved - cost : 0;
}

/* When the sub-bucket of that age no longer counts. */
static int64_t end_of(const struct pw_window *window, size_t age)
{
	return window->head_us + (PW_WINDOW_SLOTS - (int64_t)age) * window->width_us;
}

int64_t pw_window_retry_after(const struct pw_window *window, const struct pw_rate *rate,
                              int64_t cost, int64_t now_us)
{
	int64_t used = window->used + window->reserved;
	int64_t back_us = now_us < window->head_us ? window->head_us - now_us : 0;

	if (cost > rate->limit)
		return -1;
	if (counted(window, now_us) + window->reserved <= rate->limit - cost)
		return 0;
	for (size_t age = PW_WINDOW_SLOTS; age-- > 0;) {
		used -= count_of(window, age);
		if (used <= rate->limit - cost)
			return end_of(window, age) - back_us - now_us;
	}
	return PW_WINDOW_SLOTS * width_of(rate); /* what is reserved now has to go too */
}

int64_t pw_window_used(const struct pw_window *window, const struct pw_rate *rate,
                       int64_t now_us)
{
	(void)rate;
	return counted(window, now_us) + window->reserved;
}

int64_t pw_window_empty_at(const struct pw_window *window)
{
	for (size_t age = 0; age < PW_WINDOW_SLOTS; age++)
		if (count_of(window, age) > 0)
			return end_of(window, age);
	return 0;
}

/* Add to the sub-bucket that at_us is in, or to the oldest: it is then the first to go.
 */
static void add(struct pw_window *window, int64_t cost, int64_t at_us)
{
	int64_t age = at_us < window->head_us
	                      ? (window->head_us - at_us - 1) / window->width_us + 1
	                      : 0;

	if (age >= PW_WINDOW_SLOTS)
		return; /* more than a period ago */
	window->counts[place(window, (size_t)age)] += cost;
	window->used += cost;
}

void pw_window_change(struct pw_window *window, const struct pw_rate *to, int64_t now_us)
{
	struct pw_window from = *window;

	if (window->width_us == width_of(to) || window->used == 0)
		return;
	advance(&from, to, now_us);
	*window = (struct pw_window){ .reserved = from.reserved };
	advance(window, to, now_us);
	for (size_t age = 0; age < PW_WINDOW_SLOTS; age++) {
		int64_t last_us = from.head_us - ((int64_t)age - 1) * from.width_us - 1;

		if (count_of(&from, age) > 0)
			add(window, count_of(&from, age),
			    last_us < now_us ? last_us : now_us);
	}
}
