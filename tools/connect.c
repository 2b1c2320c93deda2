#include "tools/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#include "io/clock.h"

socklen_t tool_address(struct sockaddr_storage *out, struct pw_ip ip, unsigned int port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		                    .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
		                    .sin_port = htons((uint16_t)port) };

	memcpy(&six.sin6_addr, ip.bytes, sizeof(six.sin6_addr));
	memcpy(&four.sin_addr, ip.bytes, sizeof(four.sin_addr));
	if (ip.family == PW_IP_V6)
		memcpy(out, &six, sizeof(six));
	else
		memcpy(out, &four, sizeof(four));
	return ip.family == PW_IP_V6 ? sizeof(six) : sizeof(four);
}

bool tool_wait(int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd one = { .fd = fd, .events = events };
		int64_t left = deadline_ms - pw_clock_mono_ms();
		int n = poll(&one, 1, left > 0 ? (int)left : 0);

		if (n >= 0 || errno != EINTR)
			return n > 0;
	}
}

int tool_connect(int fd, const struct sockaddr *address, socklen_t len,
                 int64_t deadline_ms)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (connect(fd, address, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (!tool_wait(fd, POLLOUT, deadline_ms))
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}
