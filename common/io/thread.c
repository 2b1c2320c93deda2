#include "io/thread.h"

#include <signal.h>
#include <time.h>

void pw_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(cond, &attr);
	(void)pthread_condattr_destroy(&attr);
}

bool pw_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms)
{
	const struct timespec until = { .tv_sec = deadline_ms / 1000,
		                        .tv_nsec = deadline_ms % 1000 * 1000000 };

	if (deadline_ms == INT64_MAX)
		return pthread_cond_wait(cond, lock) == 0;
	return pthread_cond_timedwait(cond, lock, &until) == 0;
}

enum pw_status pw_thread_start(pthread_t *out, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(out, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0 ? PW_OK : PW_ERR_IO;
}
