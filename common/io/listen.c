#include "io/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/notify.h"

#define LISTEN_BACKLOG 512

static enum pw_status fail(enum pw_status status, struct pw_buf *why_out,
                           struct pw_str spec, const char *text)
{
	pw_buf_printf(why_out, "%.*s: %s", PW_FMT(spec), text);
	return status;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Is there a process behind this socket file? A full backlog counts as one. */
static bool somebody_answers(const struct sockaddr_un *address)
{
	PW_AUTO(close_fd)
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true;
	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	       (errno != ECONNREFUSED && errno != ENOENT);
}

static enum pw_status remove_stale(const struct sockaddr_un *address, struct pw_str spec,
                                   struct pw_buf *why_out)
{
	struct stat st;

	if (lstat(address->sun_path, &st) != 0)
		return errno == ENOENT ? PW_OK
		                       : fail(PW_ERR_IO, why_out, spec, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail(PW_ERR_CONFIG, why_out, spec,
		            "a file that is no socket is in the way");
	if (somebody_answers(address))
		return fail(PW_ERR_DENIED, why_out, spec,
		            "another process answers there already");
	if (unlink(address->sun_path) != 0 && errno != ENOENT)
		return fail(PW_ERR_IO, why_out, spec, strerror(errno));
	return PW_OK;
}

/* bind(2) makes the file with the mode of the socket's inode less the umask; fchmod on
 * the socket before binding sets that mode without touching the umask other threads
 * share. */
static enum pw_status open_unix(struct pw_listener *out, struct pw_str path,
                                struct pw_str spec, struct pw_buf *why_out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	PW_AUTO(close_fd) int fd = -1;
	struct stat st;
	enum pw_status r;

	if (path.len == 0 || path.at[0] != '/' || path.len >= sizeof(address.sun_path))
		return fail(PW_ERR_CONFIG, why_out, spec,
		            "needs an absolute path below 108 bytes");
	memcpy(address.sun_path, path.at, path.len);
	if ((r = remove_stale(&address, spec, why_out)) != PW_OK)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || fchmod(fd, 0660) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    chmod(address.sun_path, 0660) != 0 || lstat(address.sun_path, &st) != 0 ||
	    listen(fd, LISTEN_BACKLOG) != 0)
		return fail(PW_ERR_IO, why_out, spec, strerror(errno));
	if (!(out->path = strdup(address.sun_path)))
		return PW_ERR_NOMEM;
	out->device = st.st_dev;
	out->inode = st.st_ino;
	out->fd = fd;
	fd = -1;
	return PW_OK;
}

/* Turn "HOST:PORT" or "[v6]:PORT" into addresses. */
static enum pw_status resolve(struct addrinfo **out, struct pw_str text,
                              struct pw_str spec, struct pw_buf *why_out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		                  .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	PW_AUTO(pw_buf_done) struct pw_buf host = { 0 }, port = { 0 };
	size_t colon = pw_str_rfind(text, ':');
	struct pw_str name = pw_str_sub(text, 0, colon);
	int error;

	if (name.len >= 2 && name.at[0] == '[' && name.at[name.len - 1] == ']')
		name = pw_str_sub(name, 1, name.len - 2);
	pw_buf_puts(&host, name);
	pw_buf_puts(&port, pw_str_sub(text, colon + 1, text.len));
	if (host.len == 0 || port.len == 0)
		return fail(PW_ERR_CONFIG, why_out, spec, "needs inet:HOST:PORT");
	if ((error = getaddrinfo(pw_buf_text(&host), pw_buf_text(&port), &hints, out)) !=
	    0)
		return fail(PW_ERR_CONFIG, why_out, spec, gai_strerror(error));
	return PW_OK;
}

static void free_addresses(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

static enum pw_status open_inet(struct pw_listener *out, struct pw_str text,
                                struct pw_str spec, struct pw_buf *why_out)
{
	PW_AUTO(free_addresses) struct addrinfo *list = NULL;
	PW_AUTO(close_fd) int fd = -1;
	int on = 1;
	enum pw_status r;

	if ((r = resolve(&list, text, spec, why_out)) != PW_OK)
		return r;
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    bind(fd, list->ai_addr, list->ai_addrlen) != 0 ||
	    listen(fd, LISTEN_BACKLOG) != 0)
		return fail(errno == EADDRINUSE ? PW_ERR_DENIED : PW_ERR_IO, why_out,
		            spec, strerror(errno));
	out->fd = fd;
	fd = -1;
	return PW_OK;
}

static enum pw_status open_passed(struct pw_listener *out, struct pw_str name,
                                  struct pw_str spec, struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf copy = { 0 };
	int on = 1;

	pw_buf_puts(&copy, name);
	out->fd = pw_notify_listen_fd(pw_buf_text(&copy));
	if (out->fd < 0)
		return fail(PW_ERR_NOTFOUND, why_out, spec,
		            "no such descriptor in LISTEN_FDNAMES");
	(void)setsockopt(out->fd, IPPROTO_TCP, TCP_NODELAY, &on,
	                 sizeof(on)); /* not on unix: */
	return PW_OK;
}

enum pw_status pw_listener_open(struct pw_listener *out, struct pw_str spec,
                                struct pw_buf *why_out)
{
	static const struct {
		struct pw_str prefix;
		enum pw_status (*open)(struct pw_listener *out, struct pw_str rest,
		                       struct pw_str spec, struct pw_buf *why_out);
	} kinds[] = {
		{ { "unix:", 5 }, open_unix },
		{ { "inet:", 5 }, open_inet },
		{ { "fd:", 3 }, open_passed },
	};

	*out = (struct pw_listener){ .fd = -1 };
	for (size_t i = 0; i < PW_LEN(kinds); i++)
		if (pw_str_starts(spec, kinds[i].prefix))
			return kinds[i].open(
				out, pw_str_sub(spec, kinds[i].prefix.len, spec.len),
				spec, why_out);
	return fail(PW_ERR_CONFIG, why_out, spec,
	            "a socket is unix:/path, inet:HOST:PORT or fd:NAME");
}

enum pw_status pw_listener_open_named(struct pw_listener *out, const char *name,
                                      struct pw_str spec, struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf passed = { 0 };
	enum pw_status r;

	if (pw_notify_listen_fd(name) < 0)
		return pw_listener_open(out, spec, why_out);
	pw_buf_printf(&passed, "fd:%s", name);
	if ((r = pw_buf_status(&passed)) != PW_OK)
		return r;
	return pw_listener_open(out, pw_buf_str(&passed), why_out);
}

static void remove_own_file(struct pw_listener *listener)
{
	struct stat st;

	if (listener->path && lstat(listener->path, &st) == 0 &&
	    st.st_dev == listener->device && st.st_ino == listener->inode)
		(void)unlink(listener->path);
	free(listener->path);
	listener->path = NULL;
}

void pw_listener_close(struct pw_listener *listener)
{
	remove_own_file(listener);
	close_fd(&listener->fd);
}

/* An eventfd is never readable here, so whoever polls the number waits; accept(2) on it
 * fails once, if a connection came in the very moment, and that is all. */
enum pw_status pw_listener_silence(struct pw_listener *listener)
{
	PW_AUTO(close_fd) int quiet = eventfd(0, EFD_CLOEXEC);

	remove_own_file(listener);
	if (quiet < 0 || dup3(quiet, listener->fd, O_CLOEXEC) < 0)
		return PW_ERR_IO;
	return PW_OK;
}
