#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* More than this unsent, and the book's next lines wait: so they never pile up. */
#define STUCK_MAX ((size_t)4096)
/* A connection that lasted less was short; the longest time between two attempts then. */
#define SHORT_US INT64_C(10000000)
#define AGAIN_MAX_US INT64_C(16000000)

struct usage_client {
	struct sockaddr_un address;
	struct usage_book *book;
	struct pw_buf out; /* not sent yet */
	int fd;            /* -1 = not connected */
	unsigned int serial;
	bool is_greeted; /* by this connection's server */
	uint64_t heard;  /* lines */
	int64_t dialled_us, again_us, no_wait_until_us;
	size_t have; /* bytes in line */
	char line[USAGE_LINE_MAX];
};

int64_t usage_clock_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail on Linux */
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

enum pw_status usage_client_new(struct usage_client **out, const char *path)
{
	PW_AUTO(usage_client_free) struct usage_client *client = NULL;
	enum pw_status r;

	if (strlen(path) >= sizeof(client->address.sun_path))
		return PW_ERR_LIMIT;
	if ((client = calloc(1, sizeof(*client))) == NULL)
		return PW_ERR_NOMEM;
	client->fd = -1;
	client->again_us = USAGE_AGAIN_MS * INT64_C(1000);
	client->dialled_us = -client->again_us;
	client->address.sun_family = AF_UNIX;
	memcpy(client->address.sun_path, path, strlen(path) + 1);
	if ((r = usage_book_new(&client->book)) != PW_OK)
		return r;
	*out = PW_TAKE(client);
	return PW_OK;
}

/* A server that hangs up soon, again and again, has too many of us: come back less often.
 */
static void set_patience(struct usage_client *client)
{
	int64_t lasted_us = usage_clock_us() - client->dialled_us;

	if (!client->is_greeted || lasted_us >= SHORT_US)
		client->again_us = USAGE_AGAIN_MS * INT64_C(1000);
	else if (client->again_us < AGAIN_MAX_US)
		client->again_us *= 2;
}

static void hang_up(struct usage_client *client)
{
	set_patience(client);
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	client->have = 0;
	client->is_greeted = false;
	pw_buf_reset(&client->out);
	usage_book_disconnect(client->book);
}

void usage_client_free(struct usage_client **client)
{
	struct usage_client *c = *client;

	if (c == NULL)
		return;
	if (c->fd >= 0)
		(void)close(c->fd);
	usage_book_free(&c->book);
	pw_buf_done(&c->out);
	free(c);
	*client = NULL;
}

struct usage_book *usage_client_book(struct usage_client *client)
{
	return client->book;
}

int usage_client_fd(const struct usage_client *client, unsigned int *serial_out)
{
	*serial_out = client->serial;
	return client->fd;
}

bool usage_client_is_full(const struct usage_client *client)
{
	return client->out.len > 0;
}

uint64_t usage_client_heard(const struct usage_client *client)
{
	return client->heard;
}

/* ---- one connection */

static enum pw_status dial(struct usage_client *client)
{
	client->dialled_us = usage_clock_us();
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return PW_ERR_AWAY;
	client->serial++;
	/* a unix socket connects at once or not at all (full backlog: EAGAIN) */
	if (connect(client->fd, (const struct sockaddr *)&client->address,
	            sizeof(client->address)) < 0)
		return PW_ERR_AWAY;
	pw_buf_puts(&client->out, PW_STR(USAGE_GREETING "\n"));
	return pw_buf_status(&client->out);
}

static enum pw_status take_line(struct usage_client *client, struct pw_str line)
{
	client->heard++;
	if (client->is_greeted)
		return usage_book_take(client->book, line);
	client->is_greeted = pw_str_eq(line, PW_STR(USAGE_GREETING));
	return client->is_greeted ? PW_OK : PW_ERR_PROTOCOL;
}

/* The whole lines in client->line; what is left of the next stays. */
static enum pw_status take_lines(struct usage_client *client)
{
	struct pw_str rest = { client->line, client->have };
	enum pw_status r = PW_OK;
	size_t len;

	while (r == PW_OK && (len = pw_str_find(rest, '\n')) < rest.len) {
		r = take_line(client, pw_str_sub(rest, 0, len));
		rest = pw_str_sub(rest, len + 1, rest.len);
	}
	client->have = rest.len;
	if (rest.len == sizeof(client->line))
		return PW_ERR_PROTOCOL;
	if (rest.len > 0)
		memmove(client->line, rest.at, rest.len);
	return r;
}

static enum pw_status receive(struct usage_client *client)
{
	enum pw_status r = PW_OK;
	ssize_t n;

	while (r == PW_OK) {
		n = recv(client->fd, client->line + client->have,
		         sizeof(client->line) - client->have, MSG_DONTWAIT);
		if (n == 0)
			return PW_ERR_AWAY;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? PW_OK : PW_ERR_AWAY;
		client->have += (size_t)n;
		r = take_lines(client);
	}
	return r;
}

static enum pw_status transmit(struct usage_client *client)
{
	struct pw_buf *out = &client->out;
	size_t sent = 0;
	enum pw_status r;
	ssize_t n = 0;

	if (out->len < STUCK_MAX && (r = usage_book_put(client->book, out)) != PW_OK)
		return r;
	while (sent < out->len) {
		n = send(client->fd, out->at + sent, out->len - sent,
		         MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EINTR)
			break;
		sent += n > 0 ? (size_t)n : 0;
	}
	if (sent < out->len && errno != EAGAIN)
		return PW_ERR_AWAY;
	if (sent > 0)
		memmove(out->at, out->at + sent, out->len - sent);
	pw_buf_truncate(out, out->len - sent);
	return PW_OK;
}

/* ---- turns */

static enum pw_status try_turn(struct usage_client *client)
{
	enum pw_status r = PW_OK;

	if (client->fd < 0)
		r = dial(client);
	if (r != PW_OK || (r = receive(client)) != PW_OK)
		return r;
	return transmit(client);
}

static bool may_dial(const struct usage_client *client)
{
	return usage_clock_us() - client->dialled_us >= client->again_us;
}

/* A server that was restarted is called again at once; but never twice within
 * USAGE_AGAIN_MS. */
enum pw_status usage_client_turn(struct usage_client *client)
{
	bool was_open = client->fd >= 0;
	enum pw_status r;

	if (!was_open && !may_dial(client))
		return PW_ERR_AWAY;
	if ((r = try_turn(client)) == PW_OK)
		return PW_OK;
	hang_up(client);
	if (!was_open || r == PW_ERR_PROTOCOL || !may_dial(client))
		return r == PW_ERR_PROTOCOL ? r : PW_ERR_AWAY;
	if ((r = try_turn(client)) != PW_OK)
		hang_up(client);
	return r == PW_OK || r == PW_ERR_PROTOCOL ? r : PW_ERR_AWAY;
}

static bool is_ready_by(const struct usage_client *client, int64_t deadline_us)
{
	int64_t left_ms = (deadline_us - usage_clock_us() + 999) / 1000;
	struct pollfd p = { .fd = client->fd,
		            .events = usage_client_is_full(client) ? POLLIN | POLLOUT
		                                                   : POLLIN };

	return left_ms > 0 && (poll(&p, 1, (int)left_ms) > 0 || errno == EINTR);
}

enum pw_status usage_client_wait(struct usage_client *client,
                                 const struct usage_entry *entry)
{
	int64_t now_us = usage_clock_us();
	int64_t deadline_us = now_us + USAGE_WAIT_MS * 1000;
	enum pw_status r = usage_client_turn(client);

	if (r == PW_OK && !entry->is_answered && now_us < client->no_wait_until_us)
		return PW_ERR_TIMEOUT;
	while (r == PW_OK && !entry->is_answered) {
		r = is_ready_by(client, deadline_us) ? usage_client_turn(client)
		                                     : PW_ERR_TIMEOUT;
	}
	if (r == PW_ERR_TIMEOUT)
		client->no_wait_until_us =
			usage_clock_us() + USAGE_AWAY_MS * INT64_C(1000);
	return r;
}
