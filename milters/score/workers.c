#include "score/workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/clock.h"
#include "score/nursery.h"

#define BIRTH_MS 10000 /* longest wait for a new worker's first word */

struct worker {
	int fd, process;    /* socket; pidfd */
	int64_t generation; /* of what it knows */
};

struct workers {
	struct workers_config config;
	pthread_mutex_t lock; /* of all below; held for a few instructions */
	pthread_cond_t freed;
	struct worker idle[WORKERS_MAX];
	size_t idle_count;
	int64_t running, crashed, generation;

	pthread_mutex_t control_lock; /* one order at a time */
	int control_fd;
};

static void worker_end(struct worker *w, bool is_wild)
{
	if (is_wild)
		(void)pidfd_send_signal(w->process, SIGKILL, NULL, 0);
	close(w->fd); /* ends one that waits for a job */
	close(w->process);
}

/* ---- bytes under a deadline */

static enum pw_status wait_for(int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = deadline_ms - pw_clock_mono_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return PW_OK;
		if (n == 0)
			return PW_ERR_TIMEOUT;
		if (errno != EINTR)
			return PW_ERR_IO;
	}
}

static enum pw_status send_all(int fd, const void *at, size_t len, int64_t deadline_ms)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const char *)at + done, len - done,
		                 MSG_DONTWAIT | MSG_NOSIGNAL);
		enum pw_status r;

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN) {
			if ((r = wait_for(fd, POLLOUT, deadline_ms)) != PW_OK)
				return r;
		} else if (errno != EINTR)
			return PW_ERR_IO;
	}
	return PW_OK;
}

static enum pw_status receive_all(int fd, void *at, size_t len, int64_t deadline_ms)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = recv(fd, (char *)at + done, len - done, MSG_DONTWAIT);
		enum pw_status r;

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN) {
			if ((r = wait_for(fd, POLLIN, deadline_ms)) != PW_OK)
				return r;
		} else if (n == 0 || errno != EINTR)
			return PW_ERR_IO;
	}
	return PW_OK;
}

static enum pw_status hear(int fd, struct pw_buf *out, enum pw_status *status_out,
                           int64_t deadline_ms)
{
	struct nursery_head head;
	char chunk[16384];
	enum pw_status r = receive_all(fd, &head, sizeof(head), deadline_ms);

	if (r == PW_OK && (head.len < 0 || head.len > (int64_t)WORKERS_ANSWER_MAX ||
	                   head.status > PW_OK || head.status < PW_ERR_CRYPTO))
		return PW_ERR_PROTOCOL;
	for (int64_t left = head.len; left > 0 && r == PW_OK;) {
		size_t n = left < (int64_t)sizeof(chunk) ? (size_t)left : sizeof(chunk);

		r = receive_all(fd, chunk, n, deadline_ms);
		if (r == PW_OK)
			pw_buf_puts(out, (struct pw_str){ chunk, n });
		left -= (int64_t)n;
	}
	if (r == PW_OK)
		*status_out = (enum pw_status)head.status;
	return r;
}

/* ---- the nursery */

static enum pw_status order(struct workers *workers, struct nursery_message *message,
                            const int *fds, size_t count, int *fds_out, size_t count_out)
{
	enum pw_status r = nursery_send(workers->control_fd, message, fds, count);

	if (r == PW_OK)
		r = nursery_receive(workers->control_fd, message, fds_out, count_out);
	if (r != PW_OK)
		return PW_ERR_AWAY;
	return message->status;
}

/* A new worker, once it has said that it stands. PW_ERR_AWAY only where the nursery is
 * gone. */
static enum pw_status spawn(struct workers *workers, struct worker *out)
{
	struct nursery_message message = { .order = NURSERY_FORK };
	PW_AUTO(pw_buf_done) struct pw_buf nothing = { 0 };
	enum pw_status r, said = PW_ERR_IO;
	int fds[2] = { -1, -1 };

	pthread_mutex_lock(&workers->control_lock);
	r = order(workers, &message, NULL, 0, fds, 2);
	out->generation = workers->generation; /* load holds this lock, too */
	pthread_mutex_unlock(&workers->control_lock);
	if (r != PW_OK)
		return r;
	out->fd = fds[0];
	out->process = fds[1];
	r = hear(out->fd, &nothing, &said, pw_clock_mono_ms() + BIRTH_MS);
	if (r == PW_OK && said == PW_OK)
		return PW_OK;
	worker_end(out, true);
	return PW_ERR_IO;
}

/* ---- taking turns */

static struct timespec at_ms(int64_t mono_ms)
{
	return (struct timespec){ .tv_sec = mono_ms / 1000,
		                  .tv_nsec = (mono_ms % 1000) * 1000000 };
}

/* Has it come to an end while it stood idle? No job is to blame then. */
static bool is_dead(const struct worker *w)
{
	char byte;

	return recv(w->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* One that knows what is known now, from the idle ones; those born before go. */
static bool pop_idle(struct workers *workers, struct worker *out)
{
	while (workers->idle_count > 0) {
		*out = workers->idle[--workers->idle_count];
		if (out->generation == workers->generation && !is_dead(out))
			return true;
		worker_end(out, false);
		workers->running--;
	}
	return false;
}

static enum pw_status take(struct workers *workers, struct worker *out,
                           int64_t deadline_ms)
{
	const struct timespec deadline = at_ms(deadline_ms);
	enum pw_status r = PW_OK;
	bool is_there = false, may_spawn = false;

	pthread_mutex_lock(&workers->lock);
	for (int timed_out = 0; !is_there && !may_spawn && r == PW_OK;) {
		is_there = pop_idle(workers, out);
		may_spawn =
			!is_there && workers->running < (int64_t)workers->config.count;
		if (is_there || may_spawn)
			break;
		if (timed_out != 0)
			r = PW_ERR_TIMEOUT;
		else
			timed_out = pthread_cond_timedwait(&workers->freed,
			                                   &workers->lock, &deadline);
	}
	workers->running += may_spawn;
	pthread_mutex_unlock(&workers->lock);
	return may_spawn ? spawn(workers, out) : r;
}

/* After the job, or when none could be had (worker NULL). */
static void give_back(struct workers *workers, struct worker *worker, bool is_wild)
{
	pthread_mutex_lock(&workers->lock);
	if (worker != NULL && !is_wild && worker->generation == workers->generation) {
		workers->idle[workers->idle_count++] = *worker;
	} else {
		if (worker != NULL)
			worker_end(worker, is_wild);
		workers->running--;
		workers->crashed += is_wild;
	}
	pthread_cond_signal(&workers->freed);
	pthread_mutex_unlock(&workers->lock);
}

static enum pw_status exchange(const struct workers *workers, const struct worker *worker,
                               struct pw_str job, struct pw_buf *answer_out,
                               enum pw_status *status_out)
{
	struct nursery_head head = { PW_OK, (int64_t)job.len };
	int64_t deadline_ms = pw_clock_mono_ms() + workers->config.job_ms;
	enum pw_status r = send_all(worker->fd, &head, sizeof(head), deadline_ms);

	if (r == PW_OK)
		r = send_all(worker->fd, job.at, job.len, deadline_ms);
	return r == PW_OK ? hear(worker->fd, answer_out, status_out, deadline_ms) : r;
}

enum pw_status workers_ask(struct workers *workers, struct pw_str job,
                           struct pw_buf *answer_out, int64_t deadline_ms)
{
	struct worker worker;
	enum pw_status r, said = PW_OK;

	if (job.len > WORKERS_JOB_MAX)
		return PW_ERR_LIMIT;
	r = take(workers, &worker, deadline_ms);
	if (r == PW_ERR_TIMEOUT)
		return r;
	if (r != PW_OK) {
		give_back(workers, NULL, false);
		return r;
	}
	r = exchange(workers, &worker, job, answer_out, &said);
	give_back(workers, &worker, r != PW_OK);
	return r == PW_OK ? said : PW_ERR_PROTOCOL;
}

/* ---- life */

static enum pw_status write_bytes(int fd, struct pw_str bytes)
{
	for (size_t done = 0; done < bytes.len;) {
		ssize_t n = write(fd, bytes.at + done, bytes.len - done);

		if (n < 0 && errno != EINTR)
			return PW_ERR_IO;
		done += n > 0 ? (size_t)n : 0;
	}
	return PW_OK;
}

enum pw_status workers_load(struct workers *workers, struct pw_str bytes)
{
	struct nursery_message message = { .order = NURSERY_LOAD };
	int fd = memfd_create("rules", MFD_CLOEXEC);
	enum pw_status r = fd >= 0 ? write_bytes(fd, bytes) : PW_ERR_IO;
	int none;

	pthread_mutex_lock(&workers->control_lock);
	if (r == PW_OK)
		r = order(workers, &message, &fd, 1, &none, 0);
	pthread_mutex_lock(&workers->lock);
	workers->generation += r == PW_OK;
	pthread_mutex_unlock(&workers->lock);
	pthread_mutex_unlock(&workers->control_lock);
	if (fd >= 0)
		close(fd);
	return r;
}

static enum pw_status begin(struct workers *workers, struct pw_buf *why_out)
{
	pthread_condattr_t clock;
	struct worker first;
	enum pw_status r;

	if (pthread_condattr_init(&clock) != 0)
		return PW_ERR_NOMEM;
	if (pthread_condattr_setclock(&clock, CLOCK_MONOTONIC) != 0 ||
	    pthread_mutex_init(&workers->lock, NULL) != 0 ||
	    pthread_mutex_init(&workers->control_lock, NULL) != 0 ||
	    pthread_cond_init(&workers->freed, &clock) != 0)
		return PW_ERR_NOMEM;
	pthread_condattr_destroy(&clock);
	r = spawn(workers, &first);
	if (r != PW_OK) {
		pw_buf_puts(why_out, PW_STR("no process that is shut in: does the kernel "
		                            "have seccomp filters?"));
		return PW_ERR_IO;
	}
	workers->idle[workers->idle_count++] = first;
	workers->running++;
	return PW_OK;
}

enum pw_status workers_open(struct workers **out, const struct workers_config *config,
                            struct pw_buf *why_out)
{
	PW_AUTO(workers_close) struct workers *workers = calloc(1, sizeof(*workers));
	int pair[2];
	enum pw_status r;
	pid_t pid;

	if (workers == NULL)
		return PW_ERR_NOMEM;
	workers->config = *config;
	workers->control_fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
	    (pid = fork()) < 0) {
		pw_buf_puts(why_out, pw_str_from(strerror(errno)));
		return PW_ERR_IO;
	}
	if (pid == 0) {
		close(pair[0]);
		nursery_run(&workers->config, pair[1]);
	}
	close(pair[1]);
	workers->control_fd = pair[0];
	if ((r = begin(workers, why_out)) != PW_OK)
		return r;
	*out = PW_TAKE(workers);
	return PW_OK;
}

void workers_close(struct workers **workers)
{
	if (*workers == NULL)
		return;
	for (size_t i = 0; i < (*workers)->idle_count; i++)
		worker_end(&(*workers)->idle[i], false);
	if ((*workers)->control_fd >= 0)
		close((*workers)->control_fd);
	free(*workers);
	*workers = NULL;
}

struct workers_numbers workers_numbers(struct workers *workers)
{
	struct workers_numbers numbers;

	pthread_mutex_lock(&workers->lock);
	numbers.running = workers->running;
	numbers.crashed = workers->crashed;
	pthread_mutex_unlock(&workers->lock);
	return numbers;
}
