#include "score/nursery.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "score/jail.h"

#define FDS_MAX 2

enum pw_status nursery_send(int fd, const struct nursery_message *message, const int *fds,
                            size_t count)
{
	char control[CMSG_SPACE(sizeof(int) * FDS_MAX)] = { 0 };
	struct nursery_message copy = *message;
	struct iovec iov = { &copy, sizeof(copy) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (count > 0) {
		struct cmsghdr *c;

		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	do
		n = sendmsg(fd, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(copy))
		return PW_OK;
	return errno == EPIPE || errno == ECONNRESET ? PW_ERR_AWAY : PW_ERR_IO;
}

enum pw_status nursery_receive(int fd, struct nursery_message *message, int *fds_out,
                               size_t count)
{
	char control[CMSG_SPACE(sizeof(int) * FDS_MAX)] = { 0 };
	struct iovec iov = { message, sizeof(*message) };
	struct msghdr header = { .msg_iov = &iov,
		                 .msg_iovlen = 1,
		                 .msg_control = control,
		                 .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	for (size_t i = 0; i < count; i++)
		fds_out[i] = -1;
	do
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*message))
		return n == 0 || errno == ECONNRESET ? PW_ERR_AWAY : PW_ERR_IO;
	c = CMSG_FIRSTHDR(&header);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int) * count))
		memcpy(fds_out, CMSG_DATA(c), sizeof(int) * count);
	return PW_OK;
}

/* ---- a worker */

static bool read_all(int fd, void *at, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)at + done, len - done);

		if (n <= 0 && !(n < 0 && errno == EINTR))
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool write_all(int fd, const void *at, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)at + done, len - done);

		if (n < 0 && errno != EINTR)
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool say(int fd, enum pw_status status, struct pw_str bytes)
{
	struct nursery_head head = { status, (int64_t)bytes.len };

	return write_all(fd, &head, sizeof(head)) && write_all(fd, bytes.at, bytes.len);
}

static bool hear(int fd, struct pw_buf *job)
{
	struct nursery_head head;
	char chunk[16384];

	if (!read_all(fd, &head, sizeof(head)) || head.len < 0 ||
	    head.len > (int64_t)WORKERS_JOB_MAX)
		return false;
	for (size_t left = (size_t)head.len; left > 0;) {
		size_t n = left < sizeof(chunk) ? left : sizeof(chunk);

		if (!read_all(fd, chunk, n))
			return false;
		pw_buf_puts(job, (struct pw_str){ chunk, n });
		left -= n;
	}
	return pw_buf_status(job) == PW_OK;
}

static _Noreturn void worker_run(const struct workers_config *config, int fd)
{
	PW_AUTO(pw_buf_done) struct pw_buf job = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf answer = { 0 };
	enum pw_status r = config->is_jailed ? jail_enter(fd) : PW_OK;

	pw_buf_init(&answer, WORKERS_ANSWER_MAX);
	if (!say(fd, r, PW_STR("")) || r != PW_OK) /* it stands, and is shut in */
		_exit(1);
	while (hear(fd, &job)) {
		r = config->work(config->arg, pw_buf_str(&job), &answer);
		if (r == PW_OK)
			r = pw_buf_status(&answer);
		if (!say(fd, r, r == PW_OK ? pw_buf_str(&answer) : PW_STR("")))
			break;
		pw_buf_reset(&job);
		pw_buf_reset(&answer);
	}
	_exit(0); /* nothing of the parent's is to be flushed or released */
}

/* ---- the nursery */

static enum pw_status fork_one(const struct workers_config *config, int control_fd,
                               int fds_out[FDS_MAX])
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return PW_ERR_IO;
	pid = fork();
	if (pid == 0) {
		close(control_fd);
		close(pair[0]);
		/* should the nursery be killed while this one runs for ever */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		worker_run(config, pair[1]);
	}
	close(pair[1]);
	fds_out[0] = pair[0];
	fds_out[1] = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (fds_out[1] >= 0)
		return PW_OK;
	close(pair[0]);
	return PW_ERR_IO;
}

static enum pw_status load(const struct workers_config *config, int fd)
{
	struct stat st;
	void *at = MAP_FAILED;
	enum pw_status r = PW_ERR_IO;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at != MAP_FAILED) {
		r = config->load(config->arg, (struct pw_str){ at, (size_t)st.st_size });
		munmap(at, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

/* Who stops the service signals all its processes: these end when nobody needs them. */
static void ignore_signals(void)
{
	static const int ignored[] = { SIGTERM, SIGINT,  SIGHUP,
		                       SIGUSR1, SIGPIPE, SIGCHLD /* no zombies */ };
	sigset_t none;

	for (size_t i = 0; i < PW_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Sockets that were passed to the program, say: they would stay open with us. */
static void close_others(int control_fd)
{
	unsigned first = STDERR_FILENO + 1, keep = (unsigned)control_fd;

	if (keep > first)
		close_range(first, keep - 1, 0);
	close_range(keep + 1, UINT_MAX, 0);
}

_Noreturn void nursery_run(const struct workers_config *config, int control_fd)
{
	struct nursery_message message;
	int given;

	ignore_signals();
	close_others(control_fd);
	while (nursery_receive(control_fd, &message, &given, 1) == PW_OK) {
		int fds[FDS_MAX];
		size_t count = 0;

		if (message.order == NURSERY_LOAD) {
			message.status = load(config, given);
		} else {
			message.status = fork_one(config, control_fd, fds);
			count = message.status == PW_OK ? FDS_MAX : 0;
		}
		if (nursery_send(control_fd, &message, fds, count) != PW_OK)
			break;
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
	}
	_exit(0);
}
