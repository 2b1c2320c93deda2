/* The two clocks. Core never asks for them: glue does, and passes now_ms on. */
#pragma once

#include <stdint.h>

/* Milliseconds since the epoch; may step. */
int64_t pw_clock_wall_ms(void);
/* Milliseconds that only grow (CLOCK_MONOTONIC): for deadlines. */
int64_t pw_clock_mono_ms(void);
