#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "tools/check/check.h"

#define GRACE_MS                                                                         \
	1000 /* a check that keeps its deadline still has to tell what it found */
#define REPORT_MAX ((size_t)256 * 1024) /* check_report.c stops before */

struct child {
	pid_t pid;
	int fd; /* what it found; -1 = ended */
};

/* In the child: look, hand the report over, end. */
_Noreturn static void look(const struct check *check, const struct check_context *context,
                           int fd)
{
	struct check_report report = { 0 };
	struct pw_str rest;
	ssize_t n;

	pw_buf_init(&report.bytes, REPORT_MAX);
	check->look(&report, context);
	rest = pw_buf_str(&report.bytes);
	while (rest.len > 0) {
		n = write(fd, rest.at, rest.len);
		if (n < 0 && errno != EINTR)
			break;
		rest = pw_str_sub(rest, n > 0 ? (size_t)n : 0, rest.len);
	}
	_exit(rest.len == 0 && pw_buf_status(&report.bytes) == PW_OK ? EXIT_SUCCESS
	                                                             : EXIT_FAILURE);
}

static enum pw_status start(struct child *child, const struct check *check,
                            const struct check_context *context)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return PW_ERR_IO;
	child->pid = fork();
	if (child->pid == 0) {
		(void)close(ends[0]);
		(void)setpgid(0, 0);
		look(check, context, ends[1]);
	}
	(void)close(ends[1]);
	child->fd = ends[0];
	if (child->pid > 0)
		return PW_OK;
	(void)close(ends[0]);
	child->fd = -1;
	return PW_ERR_IO;
}

/* Take the child's last words: it has ended, or is ended with what it started. */
static void finish(struct child *child, struct check_report *report, bool is_late)
{
	int status = 0;

	(void)close(child->fd);
	child->fd = -1;
	if (is_late) {
		(void)kill(-child->pid, SIGKILL);
		(void)kill(child->pid, SIGKILL); /* had no time to lead a group */
	}
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!is_late && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		return;
	pw_buf_reset(&report->bytes); /* the last problem may be half a one */
	check_blind(report,
	            is_late ? "no end in sight, given up" : "the check itself failed");
}

static void hear(struct child *child, struct check_report *report)
{
	char bytes[4096];
	ssize_t n = read(child->fd, bytes, sizeof(bytes));

	if (n > 0)
		pw_buf_puts(&report->bytes, (struct pw_str){ bytes, (size_t)n });
	else if (n == 0 || errno != EINTR)
		finish(child, report, false);
}

/* Returns false when all have ended. */
static bool hear_all(struct child *children, struct check_report *reports, size_t count,
                     int64_t deadline_ms)
{
	struct pollfd *fds = calloc(count, sizeof(*fds));
	int64_t left_ms = deadline_ms - pw_clock_mono_ms();
	bool is_any = false;

	for (size_t i = 0; fds != NULL && i < count; i++) {
		fds[i] = (struct pollfd){ .fd = children[i].fd, .events = POLLIN };
		is_any |= children[i].fd >= 0;
	}
	if (is_any && left_ms > 0 && poll(fds, (nfds_t)count, (int)left_ms) > 0)
		for (size_t i = 0; i < count; i++)
			if (fds[i].revents != 0)
				hear(&children[i], &reports[i]);
	free(fds);
	return is_any && left_ms > 0;
}

enum pw_status check_run(const struct check *checks, size_t count,
                         const struct check_context *context,
                         struct check_report *reports)
{
	struct child *children = calloc(count, sizeof(*children));
	enum pw_status r = children != NULL ? PW_OK : PW_ERR_NOMEM;

	(void)fflush(NULL);
	for (size_t i = 0; children != NULL && i < count; i++)
		children[i].fd = -1;
	for (size_t i = 0; r == PW_OK && i < count; i++)
		r = start(&children[i], &checks[i], context);
	while (r == PW_OK &&
	       hear_all(children, reports, count, context->deadline_ms + GRACE_MS))
		;
	for (size_t i = 0; children != NULL && i < count; i++)
		if (children[i].fd >= 0)
			finish(&children[i], &reports[i], true);
	free(children);
	return r;
}
