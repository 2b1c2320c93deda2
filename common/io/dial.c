#include "io/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/ip.h"
#include "io/clock.h"

static enum pw_status parse_unix(struct pw_dial *out, struct pw_str path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (path.len == 0 || path.at[0] != '/' || path.len >= sizeof(address.sun_path) ||
	    memchr(path.at, '\0', path.len) != NULL)
		return PW_ERR_SYNTAX;
	memcpy(address.sun_path, path.at, path.len);
	memcpy(&out->address, &address, sizeof(address));
	out->len = sizeof(address);
	return PW_OK;
}

static void set_address(struct pw_dial *out, const struct pw_ip *ip, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
	if (ip->family == PW_IP_V4)
		memcpy(&out->address, &v4, sizeof(v4));
	else
		memcpy(&out->address, &v6, sizeof(v6));
	out->len = ip->family == PW_IP_V4 ? sizeof(v4) : sizeof(v6);
}

static enum pw_status parse_inet(struct pw_dial *out, struct pw_str text)
{
	size_t colon = pw_str_rfind(text, ':');
	struct pw_str host = pw_str_sub(text, 0, colon);
	struct pw_str port = pw_str_sub(text, colon + 1, text.len);
	struct pw_ip ip;
	int64_t number;

	if (host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
		host = pw_str_sub(host, 1, host.len - 2);
	if (pw_ip_parse(&ip, host) != PW_OK ||
	    pw_str_to_int64(port, 1, UINT16_MAX, &number) != PW_OK)
		return PW_ERR_SYNTAX;
	set_address(out, &ip, (uint16_t)number);
	return PW_OK;
}

enum pw_status pw_dial_parse(struct pw_dial *out, struct pw_str spec)
{
	struct pw_str kind = pw_str_cut(&spec, ':');

	*out = (struct pw_dial){ 0 };
	if (pw_str_eq(kind, PW_STR("unix")))
		return parse_unix(out, spec);
	if (pw_str_eq(kind, PW_STR("inet")))
		return parse_inet(out, spec);
	return PW_ERR_SYNTAX;
}

/* Errors  PW_ERR_TIMEOUT, PW_ERR_IO (errno) */
static enum pw_status wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd one = { .fd = fd, .events = events };

	for (;;) {
		int64_t left_ms = deadline_ms - pw_clock_mono_ms();
		int n = poll(&one, 1, left_ms > 0 ? (int)left_ms : 0);

		if (n > 0)
			return PW_OK;
		if (n == 0)
			return PW_ERR_TIMEOUT;
		if (errno != EINTR)
			return PW_ERR_IO;
	}
}

/* EAGAIN of a unix socket: its queue is full, and nothing tells when it is not. */
static enum pw_status connect_to(int fd, const struct pw_dial *to, int64_t deadline_ms)
{
	socklen_t len = sizeof(int);
	enum pw_status r;
	int error = 0;

	if (connect(fd, (const struct sockaddr *)&to->address, to->len) == 0)
		return PW_OK;
	if (errno == EAGAIN)
		return PW_ERR_TIMEOUT;
	if (errno != EINPROGRESS && errno != EINTR)
		return PW_ERR_AWAY;
	if ((r = wait_for(fd, POLLOUT, deadline_ms)) != PW_OK)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return PW_ERR_IO;
	errno = error;
	return error == 0 ? PW_OK : PW_ERR_AWAY;
}

enum pw_status pw_dial_open(int *fd_out, const struct pw_dial *to, int64_t deadline_ms)
{
	PW_AUTO(pw_dial_close)
	int fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                0);
	enum pw_status r;

	if (fd < 0)
		return PW_ERR_IO;
	if ((r = connect_to(fd, to, deadline_ms)) != PW_OK)
		return r;
	*fd_out = fd;
	fd = -1;
	return PW_OK;
}

void pw_dial_close(int *fd)
{
	int kept = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = kept;
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EINTR;
}

static enum pw_status failure(void)
{
	return errno == EPIPE || errno == ECONNRESET ? PW_ERR_AWAY : PW_ERR_IO;
}

enum pw_status pw_dial_send(int fd, struct pw_str bytes, int64_t deadline_ms)
{
	while (bytes.len > 0) {
		ssize_t n = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
		enum pw_status r;

		if (n >= 0) {
			bytes = pw_str_sub(bytes, (size_t)n, bytes.len);
			continue;
		}
		if (!is_passing(errno))
			return failure();
		if ((r = wait_for(fd, POLLOUT, deadline_ms)) != PW_OK)
			return r;
	}
	return PW_OK;
}

enum pw_status pw_dial_receive(int fd, char *at, size_t room, size_t *len_out,
                               int64_t deadline_ms)
{
	for (;;) {
		ssize_t n = recv(fd, at, room, 0);
		enum pw_status r;

		if (n >= 0) {
			*len_out = (size_t)n;
			return PW_OK;
		}
		if (!is_passing(errno))
			return failure();
		if ((r = wait_for(fd, POLLIN, deadline_ms)) != PW_OK)
			return r;
	}
}
