#include "kit/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kit/kit.h"

static const int handled[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1 };
static atomic_bool came[PW_LEN(handled)];
static int wake_fd = -1;

static void fill(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < PW_LEN(handled); i++)
		sigaddset(set, handled[i]);
}

void kit_signals_wake(void)
{
	uint64_t one = 1;
	ssize_t done = write(wake_fd, &one, sizeof(one));

	(void)done; /* a full counter wakes as well */
}

static void on_signal(int signal)
{
	int saved = errno;

	for (size_t i = 0; i < PW_LEN(handled); i++)
		if (handled[i] == signal)
			atomic_store(&came[i], true);
	kit_signals_wake();
	errno = saved;
}

void kit_signals_block(void)
{
	sigset_t set;

	/* here, for other threads may wake us before kit_signals_open is done */
	if (wake_fd < 0)
		wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fill(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

enum pw_status kit_signals_open(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t set;

	if (wake_fd < 0)
		return PW_ERR_IO;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < PW_LEN(handled); i++)
		if (sigaction(handled[i], &action, NULL) != 0)
			return PW_ERR_IO;
	fill(&set);
	return pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0 ? PW_OK : PW_ERR_IO;
}

void kit_signals_wait(int timeout_ms)
{
	struct pollfd p = { .fd = wake_fd, .events = POLLIN };
	uint64_t count;

	if (poll(&p, 1, timeout_ms) > 0 && read(wake_fd, &count, sizeof(count)) < 0)
		return; /* somebody was faster: as good as read */
}

bool kit_signals_take(int signal)
{
	for (size_t i = 0; i < PW_LEN(handled); i++)
		if (handled[i] == signal)
			return atomic_exchange(&came[i], false);
	return false;
}
