#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct lesson {
	struct lesson *next;
	struct pw_buf wire; /* line and message */
};

struct learn_client {
	struct sockaddr_un address;
	int fd;                   /* -1 = not connected */
	struct learn_batch queue; /* committed; the first may be partly sent */
	size_t sent;              /* bytes of the first */
	size_t held;              /* bytes in the queue and in all batches */
	struct learn_counts counts;
};

enum pw_status learn_client_new(struct learn_client **out, const char *path)
{
	struct learn_client *client;

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

static void hang_up(struct learn_client *client)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	client->sent = 0; /* the reader throws an unfinished message away */
}

void learn_client_free(struct learn_client **client)
{
	if (*client == NULL)
		return;
	learn_client_forget(*client, &(*client)->queue);
	hang_up(*client);
	free(*client);
	*client = NULL;
}

static void lesson_free(struct learn_client *client, struct lesson *lesson)
{
	client->held -= lesson->wire.len;
	pw_buf_done(&lesson->wire);
	free(lesson);
}

static void batch_append(struct learn_batch *batch, struct lesson *first,
                         struct lesson *last)
{
	if (batch->last != NULL)
		batch->last->next = first;
	else
		batch->first = first;
	batch->last = last;
}

static enum pw_status put_lesson(struct pw_buf *wire, const struct pw_learn_line *line,
                                 struct pw_str message)
{
	enum pw_status r;

	if ((r = pw_learn_line_put(wire, line)) != PW_OK)
		return r;
	pw_buf_puts(wire, message);
	return pw_buf_status(wire);
}

bool learn_client_hold(struct learn_client *client, struct learn_batch *batch,
                       enum pw_learn_verdict verdict, struct pw_str user,
                       struct pw_str message)
{
	const struct pw_learn_line line = { verdict, user, message.len };
	size_t room = LEARN_HELD_MAX - client->held;
	struct lesson *lesson;
	enum pw_status r;

	if (message.len >= room || (lesson = calloc(1, sizeof(*lesson))) == NULL) {
		client->counts.full++;
		return false;
	}
	pw_buf_init(&lesson->wire, room);
	r = put_lesson(&lesson->wire, &line, message);
	client->held += lesson->wire.len;
	if (r == PW_OK) {
		batch_append(batch, lesson, lesson);
		return true;
	}
	lesson_free(client, lesson);
	client->counts.full += r == PW_ERR_LIMIT || r == PW_ERR_NOMEM;
	return false;
}

void learn_client_queue(struct learn_client *client, struct learn_batch *batch)
{
	if (batch->first != NULL)
		batch_append(&client->queue, batch->first, batch->last);
	*batch = (struct learn_batch){ NULL, NULL };
}

static void batch_pop(struct learn_client *client, struct learn_batch *batch)
{
	struct lesson *first = batch->first;

	batch->first = first->next;
	if (batch->first == NULL)
		batch->last = NULL;
	lesson_free(client, first);
}

void learn_client_forget(struct learn_client *client, struct learn_batch *batch)
{
	while (batch->first != NULL)
		batch_pop(client, batch);
}

/* A unix socket connects at once or not at all (full backlog: EAGAIN), and a fresh one
 * takes the greeting. */
static bool dial(struct learn_client *client)
{
	const struct pw_str hello = PW_STR(PW_LEARN_GREETING "\n");

	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd >= 0 &&
	    connect(client->fd, (const struct sockaddr *)&client->address,
	            sizeof(client->address)) == 0 &&
	    send(client->fd, hello.at, hello.len, MSG_NOSIGNAL) == (ssize_t)hello.len)
		return true;
	hang_up(client);
	return false;
}

/* Errors  PW_ERR_TIMEOUT the socket takes no more now; PW_ERR_AWAY (not connected then)
 */
static enum pw_status push(struct learn_client *client)
{
	ssize_t n;

	if (client->fd < 0 && !dial(client))
		return PW_ERR_AWAY;
	while (client->queue.first != NULL) {
		const struct pw_buf *wire = &client->queue.first->wire;

		n = send(client->fd, wire->at + client->sent, wire->len - client->sent,
		         MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return PW_ERR_TIMEOUT;
		if (n < 0 && errno != EINTR) {
			hang_up(client);
			return PW_ERR_AWAY;
		}
		client->sent += n > 0 ? (size_t)n : 0;
		if (client->sent < wire->len)
			continue;
		client->sent = 0;
		client->counts.sent++;
		batch_pop(client, &client->queue);
	}
	return PW_OK;
}

enum learn_progress learn_client_send(struct learn_client *client)
{
	bool was_open = client->fd >= 0;
	enum pw_status r;

	if (client->queue.first == NULL)
		return LEARN_DONE;
	r = push(client);
	if (r == PW_ERR_AWAY && was_open) /* restarted since: tell the new one */
		r = push(client);
	if (r == PW_ERR_AWAY) {
		client->counts.away += learn_client_queued(client);
		learn_client_forget(client, &client->queue);
		return LEARN_AWAY;
	}
	return r == PW_OK ? LEARN_DONE : LEARN_WAIT;
}

int learn_client_fd(const struct learn_client *client)
{
	return client->fd;
}

struct learn_counts learn_client_counts(const struct learn_client *client)
{
	return client->counts;
}

size_t learn_client_queued(const struct learn_client *client)
{
	size_t n = 0;

	for (const struct lesson *l = client->queue.first; l != NULL; l = l->next)
		n++;
	return n;
}
