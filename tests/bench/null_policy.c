/* The smallest useful policy server: the physical limit of the policy bench.
 *
 *     null_policy SOCKET
 *
 * One thread, epoll, no memory a request. It finds the empty line that ends a request
 * and says DUNNO. Parsing, rules and counters come on top of this in a real one. Runs
 * until it is killed.
 *
 * Derived from nullpolicy.c of the same author, written for the first measurements. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX 16384
#define EVENTS_MAX 256

static const char answer[] = "action=DUNNO\n\n";
#define ANSWER_LEN (sizeof(answer) - 1)

struct conn {
	int fd;
	size_t len;
	size_t seen; /* of len: searched already */
	char in[REQUEST_MAX];
};

static int epoll_fd;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_unix(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0 ||
	    chmod(path, 0666) != 0 || listen(fd, 1024) != 0)
		die(path);
	return fd;
}

static void watch(int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
}

static void take_connections(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct conn *c = malloc(sizeof(*c));

		if (!c)
			die("malloc");
		c->fd = fd;
		c->len = c->seen = 0;
		watch(fd, c);
	}
}

/* Answer all whole requests; false: the peer is gone, or reads nothing. */
static bool answer_all(struct conn *c)
{
	size_t begin = 0;

	for (;;) {
		size_t from = c->seen > begin ? c->seen - 1 : begin;
		char *end = memmem(c->in + from, c->len - from, "\n\n", 2);

		if (!end)
			break;
		begin = c->seen = (size_t)(end - c->in) + 2;
		if (send(c->fd, answer, ANSWER_LEN, MSG_NOSIGNAL) != (ssize_t)ANSWER_LEN)
			return false;
	}
	memmove(c->in, c->in + begin, c->len - begin);
	c->seen = c->len -= begin;
	return c->len < REQUEST_MAX;
}

static bool serve(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->len, REQUEST_MAX - c->len, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->len += (size_t)n;
	return n > 0 && answer_all(c);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS_MAX];
	int listener;

	if (argc != 2) {
		(void)fputs("usage: null_policy SOCKET\n", stderr);
		return 2;
	}
	listener = listen_unix(argv[1]);
	if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
		die("epoll_create1");
	watch(listener, NULL);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c) {
				take_connections(listener);
			} else if (!serve(c)) {
				close(c->fd);
				free(c);
			}
		}
	}
}
