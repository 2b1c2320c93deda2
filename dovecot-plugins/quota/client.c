#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct usage_client {
	struct sockaddr_un address;
	int fd; /* -1 = not connected */
	int64_t away_until_ms;
	size_t have; /* bytes in line */
	char line[USAGE_LINE_MAX];
};

int64_t usage_clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail on Linux */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum pw_status usage_client_new(struct usage_client **out, const char *path)
{
	struct usage_client *client;

	if (strlen(path) >= sizeof(client->address.sun_path))
		return PW_ERR_LIMIT;
	if ((client = calloc(1, sizeof(*client))) == NULL)
		return PW_ERR_NOMEM;
	client->address.sun_family = AF_UNIX;
	memcpy(client->address.sun_path, path, strlen(path) + 1);
	client->fd = -1;
	*out = client;
	return PW_OK;
}

static void hang_up(struct usage_client *client)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	client->have = 0;
}

void usage_client_free(struct usage_client **client)
{
	if (*client == NULL)
		return;
	hang_up(*client);
	free(*client);
	*client = NULL;
}

static enum pw_status wait_for(const struct usage_client *client, short events,
                               int64_t deadline_ms)
{
	struct pollfd p = { .fd = client->fd, .events = events };
	int64_t left_ms;
	int n;

	do {
		left_ms = deadline_ms - usage_clock_ms();
		n = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? PW_OK : PW_ERR_TIMEOUT;
}

static enum pw_status send_all(const struct usage_client *client, struct pw_str text,
                               int64_t deadline_ms)
{
	enum pw_status r;
	ssize_t n;

	while (text.len > 0) {
		n = send(client->fd, text.at, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			text = pw_str_sub(text, (size_t)n, text.len);
		else if (errno != EAGAIN && errno != EINTR)
			return PW_ERR_AWAY;
		else if ((r = wait_for(client, POLLOUT, deadline_ms)) != PW_OK)
			return r;
	}
	return PW_OK;
}

/* One line, LF cut off, into client->line; what a previous line left was consumed. */
static enum pw_status read_line(struct usage_client *client, struct pw_str *out,
                                int64_t deadline_ms)
{
	struct pw_str got;
	enum pw_status r;
	ssize_t n;

	client->have = 0;
	for (;;) {
		got = (struct pw_str){ client->line, client->have };
		/* one request at a time: nothing may follow the LF */
		if (client->have > 0 && got.at[got.len - 1] == '\n') {
			*out = pw_str_sub(got, 0, got.len - 1);
			return pw_str_find(*out, '\n') == out->len ? PW_OK
			                                           : PW_ERR_PROTOCOL;
		}
		if (client->have == sizeof(client->line))
			return PW_ERR_PROTOCOL;
		n = recv(client->fd, client->line + client->have,
		         sizeof(client->line) - client->have, MSG_DONTWAIT);
		if (n > 0)
			client->have += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return PW_ERR_AWAY;
		else if ((r = wait_for(client, POLLIN, deadline_ms)) != PW_OK)
			return r;
	}
}

static enum pw_status dial(struct usage_client *client, int64_t deadline_ms)
{
	struct pw_str line;
	enum pw_status r;

	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return PW_ERR_AWAY;
	/* a unix socket connects at once or not at all (full backlog: EAGAIN) */
	if (connect(client->fd, (const struct sockaddr *)&client->address,
	            sizeof(client->address)) < 0)
		return PW_ERR_AWAY;
	if ((r = send_all(client, PW_STR(USAGE_GREETING "\n"), deadline_ms)) != PW_OK ||
	    (r = read_line(client, &line, deadline_ms)) != PW_OK)
		return r;
	return pw_str_eq(line, PW_STR(USAGE_GREETING)) ? PW_OK : PW_ERR_PROTOCOL;
}

static enum pw_status exchange(struct usage_client *client, struct pw_str request,
                               enum usage_verdict *verdict_out,
                               struct usage_numbers *limit_out, int64_t deadline_ms)
{
	struct pw_str line;
	enum pw_status r;

	if (client->fd < 0 && (r = dial(client, deadline_ms)) != PW_OK)
		return r;
	if ((r = send_all(client, request, deadline_ms)) != PW_OK ||
	    (r = read_line(client, &line, deadline_ms)) != PW_OK)
		return r;
	return usage_parse_answer(line, verdict_out, limit_out);
}

enum pw_status usage_client_ask(struct usage_client *client, struct pw_str request,
                                enum usage_verdict *verdict_out,
                                struct usage_numbers *limit_out)
{
	int64_t now_ms = usage_clock_ms();
	int64_t deadline_ms = now_ms + USAGE_WAIT_MS;
	bool was_open = client->fd >= 0;
	enum pw_status r;

	if (now_ms < client->away_until_ms)
		return PW_ERR_AWAY;
	r = exchange(client, request, verdict_out, limit_out, deadline_ms);
	if (r == PW_ERR_AWAY &&
	    was_open) { /* server was restarted since: ask the new one */
		hang_up(client);
		r = exchange(client, request, verdict_out, limit_out, deadline_ms);
	}
	if (r == PW_OK)
		return PW_OK;
	hang_up(client);
	client->away_until_ms = usage_clock_ms() + USAGE_AWAY_MS;
	return r == PW_ERR_PROTOCOL ? r : PW_ERR_AWAY;
}
