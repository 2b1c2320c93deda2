#include "origin/engine/smtp_client.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "io/clock.h"
#include "origin/engine/tls.h"

void smtp_client_init(struct smtp_client *client)
{
	*client = (struct smtp_client){ .fd = -1, .cancel_fd = -1 };
	pw_buf_init(&client->reply.text, REPLY_TEXT_MAX);
}

void smtp_client_close(struct smtp_client *client)
{
	tls_free(&client->tls);
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

void smtp_client_move(struct smtp_client *to, struct smtp_client *from)
{
	smtp_client_close(to);
	to->fd = from->fd;
	to->tls = PW_TAKE(from->tls);
	from->fd = -1;
	from->unread = (struct pw_str){ NULL, 0 };
}

static enum pw_status wait_for(const struct smtp_client *client, short events,
                               int64_t deadline_ms)
{
	struct pollfd p[] = { { .fd = client->fd, .events = events },
		              { .fd = client->cancel_fd, .events = POLLIN } };

	for (;;) {
		int64_t left_ms = deadline_ms - pw_clock_mono_ms();
		int ready;

		if (left_ms <= 0)
			return PW_ERR_TIMEOUT;
		ready = poll(p, client->cancel_fd >= 0 ? 2 : 1,
		             left_ms > INT_MAX ? INT_MAX : (int)left_ms);
		if (ready > 0)
			return p[1].revents ? PW_ERR_AWAY : PW_OK;
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
	client->is_whole = false;
	client->fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return PW_ERR_IO;
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(client->fd, address, address_len) == 0)
		return PW_OK;
	if (errno != EINPROGRESS)
		return peer_status(errno);
	if ((r = wait_for(client, POLLOUT, deadline_ms)) != PW_OK)
		return r;
	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0)
		return PW_ERR_IO;
	return error ? peer_status(error) : PW_OK;
}

enum pw_status smtp_client_start_tls(struct smtp_client *client, struct tls_context *tls,
                                     int64_t deadline_ms)
{
	short wait;
	enum pw_status r;

	if (client->unread.len > 0) /* in the clear, behind the reply to STARTTLS */
		return PW_ERR_PROTOCOL;
	if ((r = tls_new(&client->tls, tls, client->fd)) != PW_OK)
		return r;
	for (;;) {
		if ((r = tls_handshake(client->tls, &wait)) != PW_OK || !wait)
			return r;
		if ((r = wait_for(client, wait, deadline_ms)) != PW_OK)
			return r;
	}
}

/* One step; wait_out as in tls.h. */
static enum pw_status put(struct smtp_client *client, struct pw_str bytes,
                          size_t *done_out, short *wait_out)
{
	ssize_t sent;

	if (client->tls)
		return tls_send(client->tls, bytes, done_out, wait_out);
	sent = send(client->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
	*done_out = sent > 0 ? (size_t)sent : 0;
	*wait_out = sent < 0 && errno == EAGAIN ? POLLOUT : 0;
	return sent >= 0 || errno == EAGAIN || errno == EINTR ? PW_OK
	                                                      : peer_status(errno);
}

static enum pw_status get(struct smtp_client *client, size_t *done_out, short *wait_out)
{
	ssize_t got;

	if (client->tls)
		return tls_receive(client->tls, client->input, sizeof(client->input),
		                   done_out, wait_out);
	got = recv(client->fd, client->input, sizeof(client->input), 0);
	if (got == 0)
		return PW_ERR_AWAY;
	*done_out = got > 0 ? (size_t)got : 0;
	*wait_out = got < 0 && errno == EAGAIN ? POLLIN : 0;
	return got > 0 || errno == EAGAIN || errno == EINTR ? PW_OK : peer_status(errno);
}

enum pw_status smtp_client_send(struct smtp_client *client, struct pw_str bytes,
                                int64_t deadline_ms)
{
	enum pw_status r;

	smtp_reply_reset(&client->reply);
	client->is_whole = false;
	while (bytes.len > 0) {
		size_t done;
		short wait;

		if ((r = put(client, bytes, &done, &wait)) != PW_OK)
			return r;
		bytes = pw_str_sub(bytes, done, bytes.len);
		if (wait && (r = wait_for(client, wait, deadline_ms)) != PW_OK)
			return r;
	}
	return PW_OK;
}

/* A reply that was just asked for is not there yet: without TLS, which may hold some of
 * it already, wait first. */
static enum pw_status fill(struct smtp_client *client, int64_t deadline_ms)
{
	short wait = client->tls ? 0 : POLLIN;

	for (;;) {
		enum pw_status r;
		size_t done;

		if (wait && (r = wait_for(client, wait, deadline_ms)) != PW_OK)
			return r;
		if ((r = get(client, &done, &wait)) != PW_OK)
			return r;
		client->unread = (struct pw_str){ client->input, done };
		if (done > 0)
			return PW_OK;
	}
}

enum pw_status smtp_client_receive(struct smtp_client *client, int64_t deadline_ms)
{
	enum pw_status r;

	if (client->is_whole)
		smtp_reply_reset(&client->reply);
	client->is_whole = false;
	for (;;) {
		switch (smtp_reply_feed(&client->reply, &client->unread)) {
		case REPLY_DONE:
			client->is_whole = true;
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

void smtp_client_expect_life(struct smtp_client *client, int64_t timeout_ms)
{
	unsigned ms = (unsigned)timeout_ms;

	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

bool smtp_client_is_quiet(struct smtp_client *client)
{
	struct pollfd p = { .fd = client->fd, .events = POLLIN };

	if (client->fd < 0 || client->unread.len > 0)
		return false;
	return client->tls ? tls_is_quiet(client->tls) : poll(&p, 1, 0) == 0;
}
