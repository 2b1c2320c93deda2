#include "origin/engine/smtp_client.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "io/clock.h"

void smtp_client_init(struct smtp_client *client)
{
	*client = (struct smtp_client){ .fd = -1 };
}

void smtp_client_close(struct smtp_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	client->unread = (struct pw_str){ NULL, 0 };
}

void smtp_client_done(struct smtp_client *client)
{
	smtp_client_close(client);
	smtp_reply_done(&client->reply);
}

static enum pw_status wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int64_t left_ms = deadline_ms - pw_clock_mono_ms();
		int ready;

		if (left_ms <= 0)
			return PW_ERR_TIMEOUT;
		ready = poll(&p, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
		if (ready > 0)
			return PW_OK;
		if (ready < 0 && errno != EINTR)
			return PW_ERR_IO;
	}
}

/* What an errno of a socket means to us. */
static enum pw_status peer_status(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		return PW_ERR_AWAY;
	case ETIMEDOUT:
		return PW_ERR_TIMEOUT;
	default:
		errno = error;
		return PW_ERR_IO;
	}
}

enum pw_status smtp_client_connect(struct smtp_client *client,
                                   const struct sockaddr *address, socklen_t address_len,
                                   int64_t deadline_ms)
{
	int on = 1, error = 0;
	socklen_t error_len = sizeof(error);
	enum pw_status r;

	smtp_reply_reset(&client->reply);
	client->fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return PW_ERR_IO;
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(client->fd, address, address_len) == 0)
		return PW_OK;
	if (errno != EINPROGRESS)
		return peer_status(errno);
	if ((r = wait_for(client->fd, POLLOUT, deadline_ms)) != PW_OK)
		return r;
	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0)
		return PW_ERR_IO;
	return error ? peer_status(error) : PW_OK;
}

enum pw_status smtp_client_send(struct smtp_client *client, struct pw_str bytes,
                                int64_t deadline_ms)
{
	enum pw_status r;

	smtp_reply_reset(&client->reply);
	while (bytes.len > 0) {
		ssize_t sent = send(client->fd, bytes.at, bytes.len, MSG_NOSIGNAL);

		if (sent >= 0)
			bytes = pw_str_sub(bytes, (size_t)sent, bytes.len);
		else if (errno != EAGAIN && errno != EINTR)
			return peer_status(errno);
		else if ((r = wait_for(client->fd, POLLOUT, deadline_ms)) != PW_OK)
			return r;
	}
	return PW_OK;
}

static enum pw_status fill(struct smtp_client *client, int64_t deadline_ms)
{
	for (;;) {
		ssize_t got = recv(client->fd, client->input, sizeof(client->input), 0);
		enum pw_status r;

		if (got > 0) {
			client->unread = (struct pw_str){ client->input, (size_t)got };
			return PW_OK;
		}
		if (got == 0)
			return PW_ERR_AWAY;
		if (errno != EAGAIN && errno != EINTR)
			return peer_status(errno);
		if ((r = wait_for(client->fd, POLLIN, deadline_ms)) != PW_OK)
			return r;
	}
}

enum pw_status smtp_client_receive(struct smtp_client *client, int64_t deadline_ms)
{
	enum pw_status r;

	for (;;) {
		switch (smtp_reply_feed(&client->reply, &client->unread)) {
		case REPLY_DONE:
			return PW_OK;
		case REPLY_BAD:
			return PW_ERR_PROTOCOL;
		case REPLY_MORE:
			break;
		}
		if ((r = fill(client, deadline_ms)) != PW_OK)
			return r;
	}
}
