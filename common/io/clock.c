#include "io/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t); /* cannot fail for these clocks */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t pw_clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t pw_clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}
