#include "policyd/peer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/clock.h"

/* How soon a wish to stop is noticed. */
#define SLICE_MS 100

static enum pw_status wait_for(struct peer *peer, short events)
{
	struct pollfd pollfd = { .fd = peer->fd, .events = events };

	while (!atomic_load(peer->is_stopping)) {
		int64_t left_ms = peer->deadline_ms - pw_clock_mono_ms();
		int n;

		if (left_ms <= 0)
			return PW_ERR_TIMEOUT;
		n = poll(&pollfd, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS);
		if (n > 0)
			return PW_OK;
		if (n < 0 && errno != EINTR)
			return PW_ERR_IO;
	}
	return PW_ERR_TIMEOUT;
}

/* unix(7): a full backlog says EAGAIN at once, there is nothing to wait for. */
enum pw_status peer_open(struct peer *peer, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return PW_ERR_LIMIT;
	memcpy(address.sun_path, path, strlen(path) + 1);
	peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (peer->fd < 0)
		return PW_ERR_IO;
	if (connect(peer->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return PW_ERR_AWAY;
	return PW_OK;
}

void peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}

enum pw_status peer_write(struct peer *peer, struct pw_str bytes)
{
	while (bytes.len > 0) {
		enum pw_status r = wait_for(peer, POLLOUT);
		ssize_t n;

		if (r != PW_OK)
			return r;
		n = send(peer->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return PW_ERR_AWAY;
		if (n > 0)
			bytes = pw_str_sub(bytes, (size_t)n, bytes.len);
	}
	return PW_OK;
}

enum pw_status peer_read(struct peer *peer, struct pw_buf *in, bool *is_end_out)
{
	char bytes[4096];
	enum pw_status r = wait_for(peer, POLLIN);
	ssize_t n;

	if (r != PW_OK)
		return r;
	n = recv(peer->fd, bytes, sizeof(bytes), 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return PW_ERR_AWAY;
	*is_end_out = n == 0;
	if (n > 0)
		pw_buf_puts(in, (struct pw_str){ bytes, (size_t)n });
	return pw_buf_status(in);
}
