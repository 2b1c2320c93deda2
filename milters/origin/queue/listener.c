#include "origin/queue/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
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
#define PAUSE_MS 100 /* when there are no descriptors */

enum { SOCKET_QUEUE, SOCKET_PROXY, SOCKETS };

struct listener {
	struct talk_world world;
	struct door {
		struct listener *listener;
		const struct front *front;
		struct pw_listener socket;
		bool checks_peer; /* who may connect is not settled by the socket's file
		                   */
	} doors[SOCKETS];
	atomic_llong sessions;
	bool has_thread;
	pthread_t thread;
};

/* A connection on its way to its thread. */
struct visit {
	struct door *door;
	int fd;
};

static enum pw_status complain(enum pw_status status, const char *why)
{
	pw_log(PW_LOG_ERROR, "", PW_KV("event", "listen"), PW_KV("why", why),
	       PW_KV("status", pw_status_text(status)), PW_KV_END);
	return status;
}

static void *serve(void *arg)
{
	struct visit visit = *(struct visit *)arg;
	struct listener *listener = visit.door->listener;

	free(arg);
	talk_serve(visit.door->front, &listener->world, visit.fd);
	atomic_fetch_sub(&listener->sessions, 1);
	return NULL;
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

static void begin(struct door *door, int fd)
{
	struct listener *listener = door->listener;
	struct visit *visit = NULL;
	pthread_t thread;

	if (door->checks_peer && !is_postfix(door, fd)) {
		close(fd);
		return;
	}
	if (atomic_fetch_add(&listener->sessions, 1) < SESSIONS_MAX &&
	    (visit = malloc(sizeof(*visit))) != NULL) {
		*visit = (struct visit){ door, fd };
		if (pw_thread_start(&thread, serve, visit) == PW_OK) {
			pthread_detach(thread);
			return;
		}
	}
	free(visit);
	atomic_fetch_sub(&listener->sessions, 1);
	turn_away(fd);
}

static void accept_one(struct door *door)
{
	int fd = accept4(door->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		begin(door, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		(void)poll(NULL, 0, PAUSE_MS);
}

static void *accept_all(void *arg)
{
	struct listener *listener = arg;
	struct pollfd p[SOCKETS + 1];

	for (size_t i = 0; i < SOCKETS; i++)
		p[i] = (struct pollfd){ .fd = listener->doors[i].socket.fd,
			                .events = POLLIN };
	p[SOCKETS] = (struct pollfd){ .fd = listener->world.stop_fd, .events = POLLIN };
	for (;;) {
		if (poll(p, PW_LEN(p), -1) < 0)
			continue;
		if (p[SOCKETS].revents)
			return NULL;
		for (size_t i = 0; i < SOCKETS; i++)
			if (p[i].revents)
				accept_one(&listener->doors[i]);
	}
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

enum pw_status listener_open(struct listener **out, struct kit_live *live,
                             struct fallback *fallback)
{
	PW_AUTO(listener_close) struct listener *made = calloc(1, sizeof(*made));
	enum pw_status r;

	if (!made)
		return complain(PW_ERR_NOMEM, "no memory");
	made->world = (struct talk_world){ live, fallback, -1 };
	for (size_t i = 0; i < SOCKETS; i++)
		made->doors[i] = (struct door){ .listener = made, .socket.fd = -1 };
	made->doors[SOCKET_QUEUE].front = &front_queue;
	made->doors[SOCKET_PROXY].front = &front_proxy;
	if ((made->world.stop_fd = eventfd(0, EFD_CLOEXEC)) < 0)
		return complain(PW_ERR_IO, strerror(errno));
	if ((r = open_doors(made)) != PW_OK)
		return r;
	if ((r = pw_thread_start(&made->thread, accept_all, made)) != PW_OK)
		return complain(r, "no thread");
	made->has_thread = true;
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
	if (listener->has_thread)
		(void)pthread_join(listener->thread, NULL);
	listener->has_thread = false;
	for (size_t i = 0; i < SOCKETS; i++)
		pw_listener_close(&listener->doors[i].socket);
}

int64_t listener_sessions(const struct listener *listener)
{
	return atomic_load(&listener->sessions);
}

void listener_close(struct listener **out)
{
	struct listener *listener = *out;

	if (!listener)
		return;
	listener_stop(listener);
	if (listener->world.stop_fd >= 0)
		close(listener->world.stop_fd);
	free(listener);
	*out = NULL;
}
