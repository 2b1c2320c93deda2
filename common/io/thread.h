/* Threads whose deadlines are those of pw_clock_mono_ms and that never see a signal. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base.h"
#include "core/status.h"

/* A condition on CLOCK_MONOTONIC. */
void pw_cond_init(pthread_cond_t *cond);
/* Wait for it, under the lock; wakes for nothing too. Returns false when deadline_ms has
 * passed; INT64_MAX = for ever. */
bool pw_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms);
/* Start a thread with all signals blocked.
 *
 * Errors  PW_ERR_IO
 * Owner   caller, pthread_join */
PW_MUST_CHECK enum pw_status pw_thread_start(pthread_t *out, void *(*run)(void *arg),
                                             void *arg);
