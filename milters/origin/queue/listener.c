#include "origin/queue/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/listen.h"
#include "io/log.h"
#include "io/notify.h"
#include "io/thread.h"
#include "origin/queue/talk.h"

/* Postfix has a process for each session of its own: default_process_limit is 100. */
#define SESSIONS_MAX 1000
#define WAITING_MAX 32 /* threads kept for sessions to come */
#define PAUSE_MS 100   /* when there are no descriptors */

enum { SOCKET_QUEUE, SOCKET_PROXY, SOCKETS };

/* Under smtpd_proxy_filter each message is a connection, so a thread serves one after the
 * other. Those without one wait for the next together, and it wakes one of them; the last
 * of them sees to it that there is another before it serves. */
struct listener {
	struct talk_world world;
	struct door {
		struct listener *listener;
		const struct front *front;
		struct pw_listener socket;
		bool checks_peer; /* who may connect is not settled by the socket's file
		                   */
	} doors[SOCKETS];
	int ready_fd;         /* epoll: a door, for one thread, or stop_fd, for all */
	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t has_left;
	bool is_stopping;
	int64_t threads, serving;
};

static enum pw_status complain(enum pw_status status, const char *why)
{
	pw_log(PW_LOG_ERROR, "", PW_KV("event", "listen"), PW_KV("why", why),
	       PW_KV("status", pw_status_text(status)), PW_KV_END);
	return status;
}

/* Whoever speaks XFORWARD to us may call himself anybody: only the edge's Postfix may. */
static bool is_postfix(const struct door *door, int fd)
{
	const struct kit_held *held;
	const struct derived *derived;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	bool is_trusted;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	held = kit_live_get(door->listener->world.live);
	derived = held->derived;
	is_trusted = peer.uid == 0 || peer.uid == derived->mail_owner;
	kit_live_put(door->listener->world.live, &held);
	if (!is_trusted)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "peer_refused"),
		       PW_KV("front", door->front->name), PW_KV_INT("uid", peer.uid),
		       PW_KV_END);
	return is_trusted;
}

static void turn_away(int fd)
{
	static const char words[] = "421 4.3.2 Too many sessions\r\n";

	(void)send(fd, words, sizeof(words) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* Threads. */

static void *work(void *arg);

/* Under the lock. */
static bool start_one(struct listener *listener)
{
	pthread_t thread;

	if (listener->threads > SESSIONS_MAX ||
	    pw_thread_start(&thread, work, listener) != PW_OK)
		return false;
	pthread_detach(thread);
	listener->threads++;
	return true;
}

/* False: there are too many, or nobody would be left to say so to the next. */
static bool begin(struct listener *listener)
{
	bool may_serve;

	pthread_mutex_lock(&listener->lock);
	may_serve = listener->threads > listener->serving + 1 || start_one(listener);
	listener->serving += may_serve;
	pthread_mutex_unlock(&listener->lock);
	return may_serve;
}

/* False: this thread is not needed any more. */
static bool end(struct listener *listener)
{
	bool is_needed;

	pthread_mutex_lock(&listener->lock);
	listener->serving--;
	is_needed = !listener->is_stopping &&
	            listener->threads - listener->serving <= WAITING_MAX;
	pthread_mutex_unlock(&listener->lock);
	return is_needed;
}

/* The last this thread has to do with listener. */
static void leave(struct listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	listener->threads--;
	pthread_cond_broadcast(&listener->has_left);
	pthread_mutex_unlock(&listener->lock);
}

/* A door that has woken a thread wakes no other until it is watched again. */
static bool watch(struct door *door, int how)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.ptr = door };

	return epoll_ctl(door->listener->ready_fd, how, door->socket.fd, &event) == 0;
}

/* Returns the connection, or -1. */
static int accept_one(struct door *door)
{
	int fd = accept4(door->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		(void)poll(NULL, 0, PAUSE_MS);
	(void)watch(door, EPOLL_CTL_MOD); /* cannot fail: it is being watched */
	if (fd < 0 || !door->checks_peer || is_postfix(door, fd))
		return fd;
	close(fd);
	return -1;
}

/* False: there will be none. */
static bool next_connection(struct listener *listener, struct door **door_out,
                            int *fd_out)
{
	struct epoll_event event;
	int fd;

	for (;;) {
		if (epoll_wait(listener->ready_fd, &event, 1, -1) < 1)
			continue;
		if (!event.data.ptr)
			return false;
		if ((fd = accept_one(event.data.ptr)) < 0)
			continue;
		*door_out = event.data.ptr;
		*fd_out = fd;
		return true;
	}
}

static void *work(void *arg)
{
	struct listener *listener = arg;
	struct door *door;
	bool is_needed = true;
	int fd;

	while (is_needed && next_connection(listener, &door, &fd)) {
		if (!begin(listener)) {
			turn_away(fd);
			continue;
		}
		talk_serve(door->front, &listener->world, fd);
		is_needed = end(listener);
	}
	leave(listener);
	return NULL;
}

/* Binding. */

static bool is_unix(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
	       address.ss_family == AF_UNIX;
}

/* Without a passed descriptor and without a setting there is no such socket. */
static enum pw_status open_door(struct door *door, const char *name, struct pw_str spec)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r;

	if (spec.len == 0 && pw_notify_listen_fd(name) < 0)
		return PW_OK;
	if ((r = pw_listener_open_named(&door->socket, name, spec, &why)) != PW_OK)
		return complain(r, pw_buf_text(&why));
	if (!is_unix(door->socket.fd)) /* anybody on this host could connect */
		return complain(PW_ERR_CONFIG, "only a unix socket is safe here");
	if (fcntl(door->socket.fd, F_SETFL, O_NONBLOCK) != 0)
		return complain(PW_ERR_IO, strerror(errno));
	door->checks_peer = door->socket.path != NULL;
	if (!watch(door, EPOLL_CTL_ADD))
		return complain(PW_ERR_IO, strerror(errno));
	return PW_OK;
}

static enum pw_status open_doors(struct listener *listener)
{
	const struct kit_held *held = kit_live_get(listener->world.live);
	const struct settings *set = held->set;
	struct door *doors = listener->doors;
	enum pw_status r;

	r = open_door(&doors[SOCKET_QUEUE], "queue", pw_str_from(set->queue_socket));
	if (r == PW_OK)
		r = open_door(&doors[SOCKET_PROXY], "proxy",
		              pw_str_from(set->proxy_socket));
	kit_live_put(listener->world.live, &held);
	return r;
}

static struct listener *listener_new(struct kit_live *live, struct fallback *fallback)
{
	struct listener *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	made->world = (struct talk_world){ live, fallback, -1 };
	for (size_t i = 0; i < SOCKETS; i++)
		made->doors[i] = (struct door){ .listener = made, .socket.fd = -1 };
	made->doors[SOCKET_QUEUE].front = &front_queue;
	made->doors[SOCKET_PROXY].front = &front_proxy;
	made->ready_fd = -1;
	(void)pthread_mutex_init(&made->lock, NULL);
	pw_cond_init(&made->has_left);
	return made;
}

static bool open_ready(struct listener *listener)
{
	struct epoll_event stop = { .events = EPOLLIN };
	int fd;

	listener->world.stop_fd = fd = eventfd(0, EFD_CLOEXEC);
	listener->ready_fd = epoll_create1(EPOLL_CLOEXEC);
	return fd >= 0 && listener->ready_fd >= 0 &&
	       epoll_ctl(listener->ready_fd, EPOLL_CTL_ADD, fd, &stop) == 0;
}

enum pw_status listener_open(struct listener **out, struct kit_live *live,
                             struct fallback *fallback)
{
	PW_AUTO(listener_close) struct listener *made = listener_new(live, fallback);
	bool has_thread;
	enum pw_status r;

	if (!made)
		return complain(PW_ERR_NOMEM, "no memory");
	if (!open_ready(made))
		return complain(PW_ERR_IO, strerror(errno));
	if ((r = open_doors(made)) != PW_OK)
		return r;
	pthread_mutex_lock(&made->lock);
	has_thread = start_one(made);
	pthread_mutex_unlock(&made->lock);
	if (!has_thread)
		return complain(PW_ERR_IO, "no thread");
	*out = PW_TAKE(made);
	return PW_OK;
}

/* The descriptors of systemd's sockets stay open: its next process accepts from them. */
void listener_stop(struct listener *listener)
{
	uint64_t one = 1;

	if (listener->world.stop_fd >= 0 &&
	    write(listener->world.stop_fd, &one, sizeof(one)) != sizeof(one))
		return; /* cannot be: its count is far from full */
	pthread_mutex_lock(&listener->lock);
	listener->is_stopping = true;
	while (listener->threads > listener->serving)
		(void)pw_cond_wait(&listener->has_left, &listener->lock, INT64_MAX);
	pthread_mutex_unlock(&listener->lock);
	for (size_t i = 0; i < SOCKETS; i++)
		pw_listener_close(&listener->doors[i].socket);
}

int64_t listener_sessions(struct listener *listener)
{
	int64_t serving;

	pthread_mutex_lock(&listener->lock);
	serving = listener->serving;
	pthread_mutex_unlock(&listener->lock);
	return serving;
}

/* Those that have served their last are on their way out. */
static void await_all(struct listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	while (listener->threads > 0)
		(void)pw_cond_wait(&listener->has_left, &listener->lock, INT64_MAX);
	pthread_mutex_unlock(&listener->lock);
}

void listener_close(struct listener **out)
{
	struct listener *listener = *out;

	if (!listener)
		return;
	listener_stop(listener);
	await_all(listener);
	if (listener->world.stop_fd >= 0)
		close(listener->world.stop_fd);
	if (listener->ready_fd >= 0)
		close(listener->ready_fd);
	(void)pthread_cond_destroy(&listener->has_left);
	(void)pthread_mutex_destroy(&listener->lock);
	free(listener);
	*out = NULL;
}
