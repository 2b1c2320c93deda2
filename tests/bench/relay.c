/* A relay that knows nothing of what it carries: the null filter of the edge bench, and
 * with a delay a long wire (not every kernel has netem).
 *
 *     relay LISTEN TARGET PORT [ROUND_TRIP_MS]
 *       LISTEN  unix:PATH, or ADDRESS:PORT
 *
 * With a round trip every byte arrives half of it later, and a connection is there after
 * one and a half of them, as with a TCP handshake whose last part carries the first
 * bytes. A thread a connection; runs until it is killed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)64 * 1024)
#define CHUNKS_MAX 64 /* on the wire */
#define STACK_BYTES ((size_t)128 * 1024)

static struct sockaddr_in target;
static int64_t one_way_us;

/* Bytes on their way. */
struct chunk {
	struct chunk *next;
	int64_t due_us;
	size_t len, sent;
	char bytes[];
};

struct direction {
	int from, to;
	struct chunk *first, **last;
	size_t chunks;
	bool has_ended; /* from will say no more */
};

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* False at the end of this direction. */
static bool take(struct direction *d)
{
	char bytes[CHUNK_BYTES / 4];
	ssize_t got = recv(d->from, bytes, sizeof(bytes), 0);
	struct chunk *chunk;

	if (got <= 0)
		return false;
	chunk = malloc(sizeof(*chunk) + (size_t)got);
	if (!chunk)
		die("malloc");
	*chunk = (struct chunk){ .due_us = now_us() + one_way_us, .len = (size_t)got };
	memcpy(chunk->bytes, bytes, (size_t)got);
	*d->last = chunk;
	d->last = &chunk->next;
	d->chunks++;
	return true;
}

/* Send what is due; false when nobody is there. */
static bool give(struct direction *d)
{
	while (d->first && d->first->due_us <= now_us()) {
		struct chunk *chunk = d->first;
		ssize_t sent = send(d->to, chunk->bytes + chunk->sent,
		                    chunk->len - chunk->sent, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		chunk->sent += (size_t)sent;
		if (chunk->sent < chunk->len)
			continue;
		if (!(d->first = chunk->next))
			d->last = &d->first;
		d->chunks--;
		free(chunk);
	}
	return true;
}

/* Until something is due; NULL: nothing is on its way. */
static const struct timespec *pause_until(const struct direction directions[2],
                                          struct timespec *out)
{
	int64_t due_us = INT64_MAX, wait_us;

	for (int i = 0; i < 2; i++)
		if (directions[i].first && directions[i].first->due_us < due_us)
			due_us = directions[i].first->due_us;
	if (due_us == INT64_MAX)
		return NULL;
	wait_us = due_us - now_us();
	if (wait_us < 0)
		wait_us = 0;
	*out = (struct timespec){ .tv_sec = wait_us / 1000000,
		                  .tv_nsec = wait_us % 1000000 * 1000 };
	return out;
}

static void carry(struct direction directions[2])
{
	for (;;) {
		struct timespec wait;
		struct pollfd fds[2];

		for (int i = 0; i < 2; i++) {
			struct direction *d = &directions[i];

			if (!give(d) || (d->has_ended && !d->first))
				return;
			fds[i] = (struct pollfd){
				.fd = d->has_ended || d->chunks == CHUNKS_MAX ? -1
				                                              : d->from,
				.events = POLLIN,
			};
		}
		if (ppoll(fds, 2, pause_until(directions, &wait), NULL) < 0)
			return;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents && !take(&directions[i]))
				directions[i].has_ended = true;
	}
}

static void carry_both(int near, int far)
{
	struct direction directions[2] = { { .from = near, .to = far },
		                           { .from = far, .to = near } };

	for (int i = 0; i < 2; i++)
		directions[i].last = &directions[i].first;
	carry(directions);
	for (int i = 0; i < 2; i++)
		while (directions[i].first) {
			struct chunk *chunk = directions[i].first;

			directions[i].first = chunk->next;
			free(chunk);
		}
}

static void *serve(void *user)
{
	int near = (int)(intptr_t)user, on = 1;
	int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (one_way_us > 0)
		(void)usleep((useconds_t)(3 * one_way_us));
	if (far >= 0 && connect(far, (struct sockaddr *)&target, sizeof(target)) == 0) {
		(void)setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		carry_both(near, far);
	}
	close(far);
	close(near);
	return NULL;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0)
		die(path);
	if (chmod(path, 0666) != 0)
		die(path);
	return fd;
}

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in out = { .sin_family = AF_INET,
		                   .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, host, &out.sin_addr) != 1)
		die(host);
	return out;
}

static int listen_tcp(char *where)
{
	char *colon = strrchr(where, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in name;

	if (!colon)
		die(where);
	*colon = '\0';
	name = address(where, colon + 1);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0)
		die(where);
	return fd;
}

int main(int argc, char **argv)
{
	pthread_attr_t small;
	int fd;

	if (argc < 4 || argc > 5) {
		(void)fprintf(stderr,
		              "usage: relay LISTEN TARGET PORT [ROUND_TRIP_MS]\n");
		return 2;
	}
	target = address(argv[2], argv[3]);
	one_way_us = argc > 4 ? (int64_t)(atof(argv[4]) * 500) : 0;
	fd = strncmp(argv[1], "unix:", 5) == 0 ? listen_unix(argv[1] + 5)
	                                       : listen_tcp(argv[1]);
	if (listen(fd, 1024) != 0 || pthread_attr_init(&small) != 0 ||
	    pthread_attr_setstacksize(&small, STACK_BYTES) != 0 ||
	    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED) != 0)
		die("listen");
	for (;;) {
		int near = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (near < 0)
			continue;
		if (pthread_create(&thread, &small, serve, (void *)(intptr_t)near) != 0)
			close(near);
	}
}
