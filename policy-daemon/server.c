#include "policyd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/listen.h"
#include "io/log.h"
#include "policyd/numbers.h"

#define LISTENERS_MAX 16
#define WATCHES_MAX 2
#define READ_MAX ((size_t)16 * 1024)
/* A peer that asks and does not read is not read from either. */
#define OUTPUT_MAX ((size_t)64 * 1024)
#define EVENTS_MAX 256

/* What an epoll event points to; the first member of each thing in the loop. */
struct source {
	void (*ready)(struct server *server, struct source *source, uint32_t events);
};

struct listener {
	struct source source;
	struct pw_listener socket;
	const struct server_protocol *protocol;
};

struct watch {
	struct source source;
	void (*ready)(void *arg);
	void *arg;
};

/* Connections stand in a list, the one that was idle longest first. */
struct connection {
	struct source source;
	struct connection *previous, *next;
	const struct server_protocol *protocol;
	void *session;
	struct pw_buf in, out;
	int64_t last_request_ms, arrived_ms;
	int fd;
	uint32_t interest;
	bool is_held, is_ended; /* ended: the peer sends no more */
	bool is_slow;           /* told more than it reads: to be closed */
};

struct server {
	struct server_events events;
	struct server_limits limits;
	struct listener listeners[LISTENERS_MAX];
	size_t listener_count;
	struct watch watches[WATCHES_MAX];
	size_t watch_count;
	struct connection *first, *last;
	size_t connection_count;
	struct source wake_source, signal_source;
	int epoll_fd, wake_fd, signal_fd;
	int64_t now_ms;         /* of this round: each look at a clock costs */
	int64_t answered_count; /* in this round, in time as far as now_ms tells */
	int64_t next_tick_ms;
	int64_t retry_held_ms; /* 0 = none is held */
	bool is_stopping, has_slow, must_retry_held;
};

static int interest_set(const struct server *server, int fd, struct source *source,
                        uint32_t events, int operation)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(server->epoll_fd, operation, fd, &event);
}

/* ---- connections */

static void unlink_connection(struct server *server, struct connection *c)
{
	*(c->previous != NULL ? &c->previous->next : &server->first) = c->next;
	*(c->next != NULL ? &c->next->previous : &server->last) = c->previous;
	server->connection_count--;
}

static void append_connection(struct server *server, struct connection *c)
{
	c->previous = server->last;
	c->next = NULL;
	*(server->last != NULL ? &server->last->next : &server->first) = c;
	server->last = c;
	server->connection_count++;
}

static void connection_close(struct server *server, struct connection *c)
{
	unlink_connection(server, c);
	c->protocol->close(c->protocol->arg, c->session);
	close(c->fd); /* epoll forgets it */
	pw_buf_done(&c->in);
	pw_buf_done(&c->out);
	free(c);
	pw_count_set(&numbers, NUMBER_connections, (int64_t)server->connection_count);
}

static void drop_front(struct pw_buf *buf, size_t len)
{
	memmove(buf->at, buf->at + len, buf->len - len);
	pw_buf_truncate(buf, buf->len - len);
}

/* Send what there is; false: the connection is broken. What was sent goes, or the buffer
 * of a peer that never reads quite all would grow for ever. A peer that has hung up is
 * told nothing, but what it said before still counts. */
static bool flush(struct connection *c)
{
	size_t sent = 0;
	int error = 0;

	while (sent < c->out.len && error == 0) {
		ssize_t n = send(c->fd, c->out.at + sent, c->out.len - sent,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			sent += (size_t)n;
		else if (errno != EINTR)
			error = errno;
	}
	if (error == EPIPE)
		sent = c->out.len;
	if (sent > 0)
		drop_front(&c->out, sent);
	return error == 0 || error == EPIPE || error == EAGAIN;
}

static void note_answer(struct server *server, struct connection *c)
{
	if (server->now_ms - c->arrived_ms > server->limits.answer_deadline_ms)
		pw_count(&numbers, NUMBER_late, 1);
	else
		server->answered_count++;
	c->last_request_ms = server->now_ms;
	unlink_connection(server, c);
	append_connection(server, c);
}

/* Answer whole requests in c->in while there is room for answers. False: close. */
static bool eat(struct server *server, struct connection *c)
{
	size_t eaten = 0;
	ssize_t n = SERVER_MORE;

	c->is_held = false;
	while (eaten < c->in.len && c->out.len < OUTPUT_MAX) {
		struct pw_str rest = { c->in.at + eaten, c->in.len - eaten };

		n = c->protocol->eat(c->protocol->arg, c->session, rest, &c->out);
		if (n <= 0)
			break;
		eaten += (size_t)n;
		note_answer(server, c);
	}
	if (eaten > 0)
		drop_front(&c->in, eaten);
	c->is_held = n == SERVER_HOLD;
	if (c->is_held && server->retry_held_ms == 0)
		server->retry_held_ms = server->now_ms + SERVER_HOLD_MS;
	if (n == SERVER_CLOSE ||
	    (n == SERVER_MORE && c->in.len >= c->protocol->input_max)) {
		pw_count(&numbers, NUMBER_garbage, 1);
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "not_our_protocol"),
		       PW_KV("socket", c->protocol->name), PW_KV_END);
		return false;
	}
	return pw_buf_status(&c->out) == PW_OK;
}

/* Wait for what can happen next: the peer reading while answers are unsent, else writing.
 */
static bool await(struct server *server, struct connection *c)
{
	uint32_t interest = c->out.len > 0              ? EPOLLOUT
	                    : c->is_held || c->is_ended ? 0
	                                                : EPOLLIN;

	if (c->is_ended && c->out.len == 0 && !c->is_held)
		return false;
	if (interest == c->interest)
		return true;
	c->interest = interest;
	return interest_set(server, c->fd, &c->source, interest, EPOLL_CTL_MOD) == 0;
}

/* Answer and send in turns until there is nothing to answer or the peer does not read. */
static bool serve(struct server *server, struct connection *c)
{
	size_t left;

	do {
		left = c->in.len;
		if (!eat(server, c) || !flush(c))
			return false;
	} while (c->out.len == 0 && c->in.len < left && c->in.len > 0);
	return await(server, c);
}

static bool receive(const struct server *server, struct connection *c)
{
	char bytes[READ_MAX];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		c->is_ended = true;
	pw_buf_puts(&c->in, (struct pw_str){ bytes, (size_t)n });
	c->arrived_ms = server->now_ms;
	return pw_buf_status(&c->in) == PW_OK;
}

static void connection_ready(struct server *server, struct source *source,
                             uint32_t events)
{
	struct connection *c = (struct connection *)source;
	bool is_good = (events & EPOLLERR) == 0;

	if (is_good && c->out.len > 0)
		is_good = flush(c);
	else if (is_good && (events & (EPOLLIN | EPOLLHUP)) != 0)
		is_good = c->is_held ? (events & EPOLLHUP) == 0 : receive(server, c);
	if (!is_good || !serve(server, c))
		connection_close(server, c);
}

/* ---- telling unasked */

/* Nothing is sent and nobody closed here: this may be called while a connection eats. */
static void tell_one(struct server *server, struct connection *c,
                     void (*say)(void *arg, void *session, struct pw_buf *out), void *arg)
{
	say(arg, c->session, &c->out);
	c->is_slow = pw_buf_status(&c->out) != PW_OK || c->out.len > OUTPUT_MAX;
	if (!c->is_slow && c->out.len > 0)
		c->is_slow = !await(server, c);
	server->has_slow |= c->is_slow;
}

void server_tell(struct server *server, const struct server_protocol *protocol,
                 void (*say)(void *arg, void *session, struct pw_buf *out), void *arg)
{
	for (struct connection *c = server->first; c != NULL; c = c->next)
		if (c->protocol == protocol && !c->is_slow)
			tell_one(server, c, say, arg);
}

static void close_slow(struct server *server)
{
	struct connection *next;

	if (!server->has_slow)
		return;
	server->has_slow = false;
	for (struct connection *c = server->first; c != NULL; c = next) {
		next = c->next;
		if (!c->is_slow)
			continue;
		pw_count(&numbers, NUMBER_slow_readers, 1);
		connection_close(server, c);
	}
}

/* ---- listeners */

static void connection_open(struct server *server, int fd,
                            const struct server_protocol *protocol)
{
	bool is_admitted =
		protocol->admits == NULL || protocol->admits(protocol->arg, fd);
	struct connection *c = is_admitted ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL) {
		close(fd);
		return;
	}
	*c = (struct connection){ .source = { connection_ready },
		                  .protocol = protocol,
		                  .fd = fd,
		                  .is_ended = protocol->is_greeting_alone };
	pw_buf_init(&c->in, protocol->input_max + READ_MAX);
	c->last_request_ms = server->now_ms;
	if ((c->session = protocol->open(protocol->arg, &c->out)) == NULL) {
		close(fd);
		pw_buf_done(&c->out);
		free(c);
		return;
	}
	append_connection(server, c);
	pw_count_set(&numbers, NUMBER_connections, (int64_t)server->connection_count);
	c->interest = EPOLLIN;
	if (interest_set(server, fd, &c->source, EPOLLIN, EPOLL_CTL_ADD) != 0 ||
	    !flush(c) || !await(server, c))
		connection_close(server, c);
}

/* Postfix opens a connection that we close while it is idle again without a word; those
 * that wait to be told are idle by nature, and missed. */
static void make_room(struct server *server)
{
	struct connection *c = server->first;

	while (c != NULL && c->protocol->is_told)
		c = c->next;
	if (c == NULL && (c = server->first) == NULL)
		return;
	pw_count(&numbers, NUMBER_crowded, 1);
	connection_close(server, c);
}

static bool is_out_of_descriptors(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static void listener_ready(struct server *server, struct source *source, uint32_t events)
{
	struct listener *listener = (struct listener *)source;
	int fd;

	(void)events;
	while ((fd = accept4(listener->socket.fd, NULL, NULL,
	                     SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		if (server->connection_count >= server->limits.connections_max)
			make_room(server);
		connection_open(server, fd, listener->protocol);
	}
	if (is_out_of_descriptors(errno))
		make_room(server);
}

enum pw_status server_listen(struct server *server, struct pw_str spec,
                             const struct server_protocol *protocol,
                             struct pw_buf *why_out)
{
	struct listener *listener = &server->listeners[server->listener_count];
	enum pw_status r;
	int flags;

	if (server->listener_count == LISTENERS_MAX)
		return PW_ERR_LIMIT;
	if ((r = pw_listener_open(&listener->socket, spec, why_out)) != PW_OK)
		return r;
	listener->source.ready = listener_ready;
	listener->protocol = protocol;
	server->listener_count++;
	flags = fcntl(listener->socket.fd, F_GETFL);
	if (flags < 0 || fcntl(listener->socket.fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    interest_set(server, listener->socket.fd, &listener->source, EPOLLIN,
	                 EPOLL_CTL_ADD) != 0)
		return PW_ERR_IO;
	return PW_OK;
}

static void watch_ready(struct server *server, struct source *source, uint32_t events)
{
	struct watch *watch = (struct watch *)source;

	(void)server;
	(void)events;
	watch->ready(watch->arg);
}

enum pw_status server_watch(struct server *server, int fd, void (*ready)(void *arg),
                            void *arg)
{
	struct watch *watch = &server->watches[server->watch_count];

	if (server->watch_count == WATCHES_MAX)
		return PW_ERR_LIMIT;
	*watch = (struct watch){ { watch_ready }, ready, arg };
	server->watch_count++;
	return interest_set(server, fd, &watch->source, EPOLLIN, EPOLL_CTL_ADD) == 0
	               ? PW_OK
	               : PW_ERR_IO;
}

/* ---- waking, signals, time */

static void retry_held(struct server *server)
{
	struct connection *next;

	server->retry_held_ms = 0;
	for (struct connection *c = server->first; c != NULL; c = next) {
		next = c->next; /* a connection that gets its answer moves to the end */
		if (c->is_held && !serve(server, c))
			connection_close(server, c);
	}
}

static void wake_ready(struct server *server, struct source *source, uint32_t events)
{
	uint64_t count;

	(void)source;
	(void)events;
	if (read(server->wake_fd, &count, sizeof(count)) < 0)
		return;
	server->events.woken(server->events.arg);
	server->must_retry_held = true;
}

static void signal_ready(struct server *server, struct source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)source;
	(void)events;
	while (read(server->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		server->events.signal(server->events.arg, (int)info.ssi_signo);
}

static void close_idle(struct server *server)
{
	int64_t since_ms = server->now_ms - server->limits.idle_timeout_ms;
	struct connection *next, *c = server->first;

	for (; c != NULL && c->last_request_ms < since_ms; c = next) {
		next = c->next;
		if (!c->protocol->is_told)
			connection_close(server, c);
	}
}

static void tick(struct server *server)
{
	server->next_tick_ms = server->now_ms + SERVER_TICK_MS;
	server->events.tick(server->events.arg);
	retry_held(server);
	close_slow(server);
	close_idle(server);
}

static void run_kind(struct server *server, struct epoll_event *events, int count,
                     void (*kind)(struct server *server, struct source *source,
                                  uint32_t events))
{
	for (int i = 0; i < count; i++) {
		struct source *source = events[i].data.ptr;

		if (source == NULL || (kind != NULL && source->ready != kind))
			continue;
		events[i].data.ptr = NULL; /* it may free itself */
		source->ready(server, source, events[i].events);
	}
}

/* Waking first: a question that came after new data was there is answered from it. It
 * closes no connection; all others may close any, and by then no event of this round may
 * point to one, so connections come next. */
static void run_round(struct server *server, struct epoll_event *events, int count)
{
	run_kind(server, events, count, wake_ready);
	run_kind(server, events, count, connection_ready);
	run_kind(server, events, count, NULL);
	if (server->must_retry_held)
		retry_held(server);
	server->must_retry_held = false;
	close_slow(server);
}

/* A round that took too long made all its answers late. */
static void end_round(struct server *server)
{
	int64_t began_ms = server->now_ms;

	server->now_ms = pw_clock_mono_ms();
	if (server->now_ms - began_ms > server->limits.answer_deadline_ms)
		pw_count(&numbers, NUMBER_late, server->answered_count);
	server->answered_count = 0;
}

/* How long nothing but an event needs us. */
static int sleep_ms(const struct server *server)
{
	int64_t until_ms = server->next_tick_ms;

	if (server->retry_held_ms != 0 && server->retry_held_ms < until_ms)
		until_ms = server->retry_held_ms;
	return until_ms > server->now_ms ? (int)(until_ms - server->now_ms) : 0;
}

static void close_all(struct server *server)
{
	while (server->first != NULL)
		connection_close(server, server->first);
	for (size_t i = 0; i < server->listener_count; i++)
		pw_listener_close(&server->listeners[i].socket);
	server->listener_count = 0;
}

/* Answer what the kernel still holds for us, as far as it can be answered at once. */
static void drain(struct server *server)
{
	size_t count = server->connection_count;
	struct connection *next, *c = server->first;

	for (; c != NULL && count > 0; c = next, count--) {
		next = c->next; /* those that were answered stand at the end */
		if ((c->out.len > 0 && !flush(c)) ||
		    (!c->is_held && !receive(server, c)) || !serve(server, c))
			connection_close(server, c);
	}
	close_all(server);
}

static enum pw_status run_loop(struct server *server)
{
	struct epoll_event events[EVENTS_MAX];

	server->now_ms = pw_clock_mono_ms();
	while (!server->is_stopping) {
		int count;

		if (server->next_tick_ms <= server->now_ms)
			tick(server);
		else if (server->retry_held_ms != 0 &&
		         server->retry_held_ms <= server->now_ms)
			retry_held(server);
		if (server->events.round != NULL)
			server->events.round(server->events.arg);
		count = epoll_wait(server->epoll_fd, events, EVENTS_MAX,
		                   sleep_ms(server));
		server->now_ms = pw_clock_mono_ms();
		if (count < 0 && errno != EINTR)
			return PW_ERR_IO;
		if (count > 0)
			run_round(server, events, count);
		end_round(server);
	}
	return PW_OK;
}

enum pw_status server_run(struct server *server)
{
	enum pw_status r = run_loop(server);

	drain(server);
	return r;
}

void server_stop(struct server *server)
{
	server->is_stopping = true;
}

void server_wake(struct server *server)
{
	uint64_t one = 1;

	/* full is as good as written: the loop wakes */
	if (write(server->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- life */

static enum pw_status open_descriptors(struct server *server, const int *signals)
{
	sigset_t set;

	sigemptyset(&set);
	for (; *signals != 0; signals++)
		sigaddset(&set, *signals);
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	server->wake_source.ready = wake_ready;
	server->signal_source.ready = signal_ready;
	if (server->epoll_fd < 0 || server->wake_fd < 0 || server->signal_fd < 0 ||
	    interest_set(server, server->wake_fd, &server->wake_source, EPOLLIN,
	                 EPOLL_CTL_ADD) != 0 ||
	    interest_set(server, server->signal_fd, &server->signal_source, EPOLLIN,
	                 EPOLL_CTL_ADD) != 0)
		return PW_ERR_IO;
	return PW_OK;
}

enum pw_status server_new(struct server **out, const struct server_events *events,
                          const int *signals)
{
	PW_AUTO(server_free) struct server *server = calloc(1, sizeof(*server));
	enum pw_status r;

	if (server == NULL)
		return PW_ERR_NOMEM;
	server->events = *events;
	server->epoll_fd = server->wake_fd = server->signal_fd = -1;
	if ((r = open_descriptors(server, signals)) != PW_OK)
		return r;
	*out = PW_TAKE(server);
	return PW_OK;
}

void server_free(struct server **server)
{
	struct server *s = *server;

	if (s == NULL)
		return;
	close_all(s);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	free(s);
	*server = NULL;
}

void server_set_limits(struct server *server, const struct server_limits *limits)
{
	server->limits = *limits;
}
