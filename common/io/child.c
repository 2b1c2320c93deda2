#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"

#define CHUNK_BYTES ((size_t)16 * 1024)
#define NOT_INSTALLED 127
#define SBIN "/usr/sbin/"
#define SLICE_MS 20    /* between looks whether it has ended */
#define END_LOOK_MS 10 /* the same when it closed its outputs */

extern char **environ;

enum { IN, OUT, ERR, STREAMS };

struct child {
	int ours[STREAMS], theirs[STREAMS]; /* -1 = closed */
	struct pw_str input;
	struct pw_buf *texts[STREAMS]; /* of OUT and ERR */
	int64_t deadline_ms;
	pid_t pid;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void child_done(struct child *c)
{
	for (size_t i = 0; i < STREAMS; i++) {
		close_fd(&c->ours[i]);
		close_fd(&c->theirs[i]);
	}
}

/* A socket pair per stream: send(2) on it can be told to raise no SIGPIPE. */
static enum pw_status open_streams(struct child *c)
{
	for (size_t i = 0; i < STREAMS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
			return PW_ERR_IO;
		c->ours[i] = pair[0];
		c->theirs[i] = pair[1];
		if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
			return PW_ERR_IO;
	}
	return PW_OK;
}

/* What our threads block or ignore is no concern of the child's. */
static int set_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawnattr_setsigmask(attributes, &none);
	(void)posix_spawnattr_setsigdefault(attributes, &all);
	return posix_spawnattr_setflags(attributes,
	                                POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* PATH of a user, and of root behind su, lacks the folder of postconf and its like. */
static int spawn_found(pid_t *pid, const char *const *argv,
                       const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	char **arguments;
	int error;

	memcpy(&arguments, &argv, sizeof(arguments)); /* posix_spawn(3) changes none */
	error = posix_spawnp(pid, argv[0], actions, attributes, arguments, environ);
	if (error != ENOENT || strchr(argv[0], '/') != NULL)
		return error;
	pw_buf_printf(&path, SBIN "%s", argv[0]);
	return posix_spawn(pid, pw_buf_text(&path), actions, attributes, arguments,
	                   environ);
}

static enum pw_status spawn(struct child *c, const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return PW_ERR_NOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return PW_ERR_NOMEM;
	}
	error = set_signals(&attributes);
	for (int i = 0; i < STREAMS && error == 0; i++)
		error = posix_spawn_file_actions_adddup2(&actions, c->theirs[i], i);
	if (error == 0)
		error = spawn_found(&c->pid, argv, &actions, &attributes);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	for (size_t i = 0; i < STREAMS; i++)
		close_fd(&c->theirs[i]);
	errno = error;
	return error == 0 ? PW_OK : error == ENOENT ? PW_ERR_NOTFOUND : PW_ERR_IO;
}

static void feed(struct child *c)
{
	ssize_t n = send(c->ours[IN], c->input.at, c->input.len, MSG_NOSIGNAL);

	if (n >= 0)
		c->input = pw_str_sub(c->input, (size_t)n, c->input.len);
	else if (errno != EAGAIN && errno != EINTR)
		c->input.len = 0; /* it does not want the rest */
	if (c->input.len == 0)
		close_fd(&c->ours[IN]);
}

/* Returns false when there is nothing to read now. */
static bool drain(struct child *c, int which)
{
	char bytes[CHUNK_BYTES];
	ssize_t n = read(c->ours[which], bytes, sizeof(bytes));

	if (n > 0 && c->texts[which] != NULL)
		pw_buf_puts(c->texts[which], (struct pw_str){ bytes, (size_t)n });
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_fd(&c->ours[which]);
	pw_wipe(bytes, n > 0 ? (size_t)n : 0); /* may be a key */
	return n > 0;
}

static int slice_ms(const struct child *c)
{
	int64_t left = c->deadline_ms - pw_clock_mono_ms();

	return left < 0 ? 0 : left > SLICE_MS ? SLICE_MS : (int)left;
}

static enum pw_status talk(struct child *c)
{
	struct pollfd fds[STREAMS] = {
		[IN] = { .fd = c->ours[IN], .events = POLLOUT },
		[OUT] = { .fd = c->ours[OUT], .events = POLLIN },
		[ERR] = { .fd = c->ours[ERR], .events = POLLIN },
	};
	bool is_open = c->ours[OUT] >= 0 || c->ours[ERR] >= 0;
	int n = poll(fds, STREAMS, is_open ? slice_ms(c) : END_LOOK_MS);

	if (n < 0 && errno != EINTR)
		return PW_ERR_IO;
	if (n > 0 && fds[IN].revents != 0)
		feed(c);
	for (int i = OUT; n > 0 && i < STREAMS; i++)
		if (fds[i].revents != 0)
			(void)drain(c, i);
	return PW_OK;
}

/* Until it has ended: who else holds its outputs (a daemon it started) is not waited
 * for. */
static enum pw_status talk_to_end(struct child *c, int *status_out)
{
	pid_t pid;

	while ((pid = waitpid(c->pid, status_out, WNOHANG)) != c->pid) {
		enum pw_status r = pid < 0 && errno != EINTR ? PW_ERR_IO : talk(c);

		if (r != PW_OK)
			return r;
		if (pw_clock_mono_ms() >= c->deadline_ms)
			return PW_ERR_TIMEOUT;
	}
	c->pid = -1;
	for (int i = OUT; i < STREAMS; i++)
		while (c->ours[i] >= 0 && drain(c, i))
			;
	return PW_OK;
}

static void kill_and_reap(const struct child *c)
{
	if (c->pid < 0)
		return;
	(void)kill(c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

enum pw_status pw_child_run(const char *const *argv, struct pw_str input,
                            struct pw_buf *out, struct pw_buf *err, int64_t timeout_ms,
                            int *exit_out)
{
	PW_AUTO(child_done)
	struct child c = { .ours = { -1, -1, -1 },
		           .theirs = { -1, -1, -1 },
		           .input = input,
		           .texts = { [OUT] = out, [ERR] = err },
		           .deadline_ms = pw_clock_mono_ms() + timeout_ms };
	int status = 0;
	enum pw_status r;

	*exit_out = NOT_INSTALLED;
	if ((r = open_streams(&c)) != PW_OK || (r = spawn(&c, argv)) != PW_OK)
		return r;
	if ((r = talk_to_end(&c, &status)) != PW_OK) {
		kill_and_reap(&c);
		return r;
	}
	*exit_out = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return PW_OK;
}
