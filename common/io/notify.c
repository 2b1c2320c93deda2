#include "io/notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/str.h"
#include "io/clock.h"

#define LISTEN_FDS_START 3
#define LISTEN_FDS_MAX 64
#define STATE_MAX 1024

/* Send one datagram to the supervisor; whoever does not listen misses it. */
static void tell(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	             (const struct sockaddr *)&to,
	             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	(void)close(fd);
}

void pw_notify_ready(void)
{
	tell("READY=1");
}

void pw_notify_reloading(void)
{
	char state[STATE_MAX];

	(void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
	               (long long)pw_clock_mono_ms() * 1000);
	tell(state);
}

void pw_notify_stopping(void)
{
	tell("STOPPING=1");
}

void pw_notify_watchdog(void)
{
	tell("WATCHDOG=1");
}

void pw_notify_status(const char *text)
{
	char state[STATE_MAX];

	(void)snprintf(state, sizeof(state), "STATUS=%s", text);
	state[strcspn(state, "\n")] = '\0';
	tell(state);
}

/* A number in the environment, min..max; fallback if absent or something else. */
static int64_t env_number(const char *name, int64_t min, int64_t max, int64_t fallback)
{
	int64_t n = fallback;

	if (pw_str_to_int64(pw_str_from(getenv(name)), min, max, &n) != PW_OK)
		return fallback;
	return n;
}

int64_t pw_notify_watchdog_ms(void)
{
	if (env_number("WATCHDOG_PID", 1, INT32_MAX, getpid()) != getpid())
		return 0;
	return env_number("WATCHDOG_USEC", 2000, INT64_MAX, 0) / 2000;
}

int pw_notify_listen_fd(const char *name)
{
	int64_t count = env_number("LISTEN_FDS", 0, LISTEN_FDS_MAX, 0);
	struct pw_str names = pw_str_from(getenv("LISTEN_FDNAMES"));

	if (env_number("LISTEN_PID", 1, INT32_MAX, -1) != getpid())
		return -1;
	for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + count && names.at; fd++) {
		if (!pw_str_eq(pw_str_cut(&names, ':'), pw_str_from(name)))
			continue;
		return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
	}
	return -1;
}
