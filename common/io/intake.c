#include "io/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/thread.h"

#define READ_BYTES ((size_t)64 * 1024)
#define LOOK_MS 1000 /* at who is silent too long */

struct connection {
	int fd;
	struct pw_buf input;
	void *session;
	int64_t heard_ms;
};

struct pw_intake {
	struct pw_intake_protocol protocol;
	int listener, stop_fd;
	pthread_t thread;
	size_t count;
	struct connection at[PW_INTAKE_CONNECTIONS_MAX];
	char chunk[READ_BYTES];
};

static void hang_up(struct pw_intake *in, size_t i)
{
	struct connection *c = &in->at[i];

	(void)close(c->fd);
	pw_buf_done(&c->input);
	in->protocol.close(in->protocol.arg, c->session);
	*c = in->at[--in->count];
}

/* The one that has been in no piece for longest; count if all are. */
static size_t idlest(const struct pw_intake *in)
{
	size_t found = in->count;

	for (size_t i = 0; i < in->count; i++)
		if (in->at[i].input.len == 0 &&
		    (found == in->count || in->at[i].heard_ms < in->at[found].heard_ms))
			found = i;
	return found;
}

static void take_in(struct pw_intake *in)
{
	int fd = accept4(in->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t going = in->count;
	void *session;

	if (fd < 0)
		return;
	if (in->count == PW_INTAKE_CONNECTIONS_MAX) {
		if ((going = idlest(in)) < in->count)
			hang_up(in, going);
	}
	if (in->count == PW_INTAKE_CONNECTIONS_MAX ||
	    (session = in->protocol.open(in->protocol.arg)) == NULL) {
		(void)close(fd);
		return;
	}
	in->at[in->count++] = (struct connection){ .fd = fd,
		                                   .session = session,
		                                   .heard_ms = pw_clock_mono_ms() };
}

/* Hand over all whole pieces. False: the peer is not ours. */
static bool eat_all(struct pw_intake *in, struct connection *c)
{
	struct pw_str rest = pw_buf_str(&c->input);
	ssize_t eaten = 0;

	if (pw_buf_status(&c->input) != PW_OK)
		return false;
	while (rest.len > 0 &&
	       (eaten = in->protocol.eat(in->protocol.arg, c->session, rest)) > 0)
		rest = pw_str_sub(rest, (size_t)eaten, rest.len);
	if (eaten == PW_INTAKE_CLOSE || rest.len >= in->protocol.input_max)
		return false;
	if (rest.len == 0) {
		pw_buf_done(&c->input); /* many wait without a word */
	} else if (rest.len < c->input.len) {
		struct pw_buf left = { 0 };

		pw_buf_puts(&left, rest);
		pw_buf_done(&c->input);
		c->input = left;
	}
	return pw_buf_status(&c->input) == PW_OK;
}

/* Read once. False: it is over. */
static bool hear(struct pw_intake *in, struct connection *c)
{
	ssize_t n = read(c->fd, in->chunk, sizeof(in->chunk));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	c->heard_ms = pw_clock_mono_ms();
	pw_buf_puts(&c->input, (struct pw_str){ in->chunk, (size_t)n });
	return eat_all(in, c);
}

static void close_silent(struct pw_intake *in)
{
	int64_t now_ms = pw_clock_mono_ms();

	for (size_t i = in->count; i-- > 0;)
		if (in->at[i].input.len > 0 &&
		    now_ms - in->at[i].heard_ms > in->protocol.patience_ms)
			hang_up(in, i);
}

/* What was sent before the stop; a peer that never ends is cut off after its limit. */
static void drain(struct pw_intake *in)
{
	for (size_t i = in->count; i-- > 0;) {
		size_t left = in->protocol.input_max / sizeof(in->chunk) + 2;
		struct pollfd ready = { .fd = in->at[i].fd, .events = POLLIN };

		while (left-- > 0 && poll(&ready, 1, 0) == 1 && hear(in, &in->at[i]))
			;
		hang_up(in, i);
	}
}

static void *run(void *arg)
{
	struct pw_intake *in = arg;
	struct pollfd set[PW_INTAKE_CONNECTIONS_MAX + 2];

	for (;;) {
		size_t count = in->count;
		bool has_room = count < PW_INTAKE_CONNECTIONS_MAX ||
		                idlest(in) < count; /* else the backlog waits */

		set[0] = (struct pollfd){ .fd = in->stop_fd, .events = POLLIN };
		set[1] = (struct pollfd){ .fd = has_room ? in->listener : -1,
			                  .events = POLLIN };
		for (size_t i = 0; i < count; i++)
			set[i + 2] =
				(struct pollfd){ .fd = in->at[i].fd, .events = POLLIN };
		if (poll(set, count + 2, LOOK_MS) < 0 && errno != EINTR)
			break;
		if (set[0].revents != 0)
			break;
		for (size_t i = count;
		     i-- > 0;) /* who goes leaves its place to the last */
			if (set[i + 2].revents != 0 && !hear(in, &in->at[i]))
				hang_up(in, i);
		if (set[1].revents != 0)
			take_in(in);
		close_silent(in);
	}
	drain(in);
	return NULL;
}

static void release(struct pw_intake *in)
{
	if (in->stop_fd >= 0)
		(void)close(in->stop_fd);
	free(in);
}

enum pw_status pw_intake_start(struct pw_intake **out, int listener,
                               const struct pw_intake_protocol *protocol)
{
	struct pw_intake *in = calloc(1, sizeof(*in));
	int flags = fcntl(listener, F_GETFL);

	if (in == NULL)
		return PW_ERR_NOMEM;
	in->protocol = *protocol;
	in->listener = listener;
	in->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (in->stop_fd < 0 || flags < 0 ||
	    fcntl(listener, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    pw_thread_start(&in->thread, run, in) != PW_OK) {
		release(in);
		return PW_ERR_IO;
	}
	*out = in;
	return PW_OK;
}

void pw_intake_stop(struct pw_intake **intake)
{
	uint64_t one = 1;

	if (*intake == NULL)
		return;
	if (write((*intake)->stop_fd, &one, sizeof(one)) == sizeof(one))
		(void)pthread_join((*intake)->thread, NULL);
	release(*intake);
	*intake = NULL;
}
