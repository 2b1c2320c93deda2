#include "tools/probe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/connect.h"

#define ANSWER_MAX 512

/* SMFIC_OPTNEG: version 6, all actions, all protocol steps. What follows is "quit". */
static const char milter_hello[] = "\0\0\0\015O\0\0\0\6\0\0\1\377\0\037\377\377";
static const char policy_hello[] = "request=smtpd_access_policy\nprotocol_state=CONNECT\n"
				   "protocol_name=SMTP\nclient_address=127.0.0.1\n"
				   "client_name=localhost\n\n";

/* a name that is nobody's */
static const char map_hello[] = "15:domains invalid,";

/* ended by NUL */
static const char clamd_hello[] = "zPING";

/* clang-format off */
static const struct language {
	struct pw_str hello;
	size_t answer_at; /* where in the answer */
	struct pw_str answer;
} languages[] = {
	[PROBE_CONNECT] = { { NULL, 0 }, 0, { NULL, 0 } },
	[PROBE_MILTER]  = { { milter_hello, sizeof(milter_hello) - 1 }, 4, { "O", 1 } },
	[PROBE_POLICY]  = { { policy_hello, sizeof(policy_hello) - 1 }, 0, { "action=", 7 } },
	[PROBE_MAP]     = { { map_hello, sizeof(map_hello) - 1 }, 0, { "9:NOTFOUND ,", 12 } },
	[PROBE_SMTP]    = { { NULL, 0 }, 0, { "220", 3 } },
	[PROBE_AUTH]    = { { NULL, 0 }, 0, { "VERSION\t", 8 } },
	[PROBE_CLAMD]   = { { clamd_hello, sizeof(clamd_hello) }, 0, { "PONG", 4 } },
};
/* clang-format on */

static enum probe_result result_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENOTSOCK:
		return PROBE_NOT_THERE;
	case EACCES:
	case EPERM:
		return PROBE_DENIED;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
		return PROBE_REFUSED;
	case EAGAIN: /* a unix socket whose queue is full */
	case ETIMEDOUT:
		return PROBE_SILENT;
	default:
		return PROBE_UNREACHABLE;
	}
}

/* Say hello and hear as much as tells whether it is the right answer. */
static enum probe_result talk(int fd, const struct language *l, int64_t deadline_ms)
{
	char text[ANSWER_MAX];
	size_t len = 0, wanted = l->answer_at + l->answer.len;

	if (l->hello.len > 0 && send(fd, l->hello.at, l->hello.len, MSG_NOSIGNAL) < 0)
		return result_of(errno);
	while (len < wanted) {
		ssize_t n;

		if (!tool_wait(fd, POLLIN, deadline_ms))
			return PROBE_SILENT;
		n = recv(fd, text + len, sizeof(text) - len, 0);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return PROBE_REFUSED;
		len += n > 0 ? (size_t)n : 0;
	}
	return wanted == 0 || memcmp(text + l->answer_at, l->answer.at, l->answer.len) ==
	                               0
	               ? PROBE_FINE
	               : PROBE_STRANGE;
}

static enum probe_result probe(const struct sockaddr *address, socklen_t len,
                               enum probe_kind kind, int64_t deadline_ms)
{
	int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enum probe_result result;
	int error;

	if (fd < 0)
		return PROBE_UNREACHABLE;
	error = tool_connect(fd, address, len, deadline_ms);
	result = error == 0 ? PROBE_FINE : result_of(error);
	if (result == PROBE_FINE)
		result = talk(fd, &languages[kind], deadline_ms);
	if (result == PROBE_FINE && kind == PROBE_MILTER)
		(void)send(fd, "\0\0\0\1Q", 5, MSG_NOSIGNAL);
	if (result == PROBE_FINE && kind == PROBE_SMTP)
		(void)send(fd, "QUIT\r\n", 6, MSG_NOSIGNAL);
	(void)close(fd);
	return result;
}

enum probe_result probe_unix(const char *path, enum probe_kind kind, int64_t deadline_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return PROBE_UNREACHABLE;
	memcpy(address.sun_path, path, strlen(path) + 1);
	return probe((const struct sockaddr *)&address, sizeof(address), kind,
	             deadline_ms);
}

enum probe_result probe_tcp(struct pw_ip ip, unsigned int port, enum probe_kind kind,
                            int64_t deadline_ms)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = tool_address(&address, ip, port);

	return probe((const struct sockaddr *)&address, len, kind, deadline_ms);
}

const char *probe_text(enum probe_result result)
{
	static const char *const texts[PROBE_RESULTS] = {
		[PROBE_FINE] = "answers",
		[PROBE_NOT_THERE] = "there is no such socket",
		[PROBE_DENIED] = "may not connect",
		[PROBE_REFUSED] = "nobody listens",
		[PROBE_SILENT] = "nobody answers",
		[PROBE_STRANGE] = "something else answers",
		[PROBE_UNREACHABLE] = "cannot be reached",
	};

	return texts[result];
}
