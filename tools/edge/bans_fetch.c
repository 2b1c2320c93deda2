#include "tools/edge/bans_fetch.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"

static enum pw_status wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = events };
	int64_t left_ms;
	int n;

	do {
		left_ms = deadline_ms - pw_clock_mono_ms();
		if (left_ms <= 0)
			return PW_ERR_TIMEOUT;
		n = poll(&pollfd, 1, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return PW_ERR_IO;
	return n == 0 ? PW_ERR_TIMEOUT : PW_OK;
}

static socklen_t address_of(struct sockaddr_storage *out, struct pw_ip host,
                            unsigned int port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		                    .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
		                    .sin_port = htons((uint16_t)port) };

	memcpy(&six.sin6_addr, host.bytes, sizeof(six.sin6_addr));
	memcpy(&four.sin_addr, host.bytes, sizeof(four.sin_addr));
	if (host.family == PW_IP_V6)
		memcpy(out, &six, sizeof(six));
	else
		memcpy(out, &four, sizeof(four));
	return host.family == PW_IP_V6 ? sizeof(six) : sizeof(four);
}

static enum pw_status connect_to(int fd, struct pw_ip host, unsigned int port,
                                 int64_t deadline_ms)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = address_of(&address, host, port), size = sizeof(int);
	enum pw_status r;
	int error = 0;

	if (connect(fd, (const struct sockaddr *)&address, len) == 0)
		return PW_OK;
	if (errno != EINPROGRESS)
		return PW_ERR_AWAY;
	if ((r = wait_for(fd, POLLOUT, deadline_ms)) != PW_OK)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		return PW_ERR_IO;
	return error == 0 ? PW_OK : PW_ERR_AWAY;
}

static enum pw_status read_all(struct pw_buf *out, int fd, int64_t deadline_ms)
{
	char bytes[65536];
	enum pw_status r;
	ssize_t n;

	for (;;) {
		if ((r = wait_for(fd, POLLIN, deadline_ms)) != PW_OK)
			return r;
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n == 0)
			return PW_OK;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return PW_ERR_AWAY;
		if (n > 0)
			pw_buf_puts(out, (struct pw_str){ bytes, (size_t)n });
		if ((r = pw_buf_status(out)) != PW_OK)
			return r;
	}
}

enum pw_status bans_fetch(struct pw_buf *out, struct pw_ip host, unsigned int port,
                          int64_t deadline_ms)
{
	int fd = socket(host.family == PW_IP_V6 ? AF_INET6 : AF_INET,
	                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enum pw_status r;

	if (fd < 0)
		return PW_ERR_IO;
	r = connect_to(fd, host, port, deadline_ms);
	if (r == PW_OK)
		r = read_all(out, fd, deadline_ms);
	(void)close(fd);
	return r;
}
