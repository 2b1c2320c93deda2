/* Processes that do one kind of work on bytes of strangers, shut in a jail, so that a bug
 * costs one message and gives away nothing.
 *
 * A nursery, forked while the program has one thread, forks them on demand; each does one
 * job at a time. So many of them, so many jobs at once: who comes more waits. */
#pragma once

#include "core/buf.h"

#define WORKERS_MAX 64
#define WORKERS_JOB_MAX ((size_t)4 * 1024 * 1024)    /* bytes of a job */
#define WORKERS_ANSWER_MAX ((size_t)4 * 1024 * 1024) /* bytes of its answer */

struct workers_config {
	size_t count;   /* at once, 1..WORKERS_MAX */
	int64_t job_ms; /* longest time of one job; then its worker is killed */
	/* In the nursery: take in new knowledge, which later workers are born with.
	 * On failure what was known before stays. */
	enum pw_status (*load)(void *arg, struct pw_str bytes);
	/* In a worker, shut in: no file, no network, no clock that moves others. */
	enum pw_status (*work)(void *arg, struct pw_str job, struct pw_buf *answer_out);
	void *arg;      /* as it is when workers_open is called */
	bool is_jailed; /* false: for where the kernel has no seccomp */
};

struct workers;

/* Fork the nursery, and a first worker to see that it can be shut in. The calling process
 * has one thread yet.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_IO (why_out): no process, or no jail
 * Owner   caller, workers_close */
PW_MUST_CHECK enum pw_status workers_open(struct workers **out,
                                          const struct workers_config *config,
                                          struct pw_buf *why_out);
/* They end by themselves; nobody may be asking. */
void workers_close(struct workers **workers);

/* Teach: jobs that begin from now on are done by who knows it. Thread-safe.
 *
 * Errors  what load returned; PW_ERR_AWAY no nursery; PW_ERR_IO */
PW_MUST_CHECK enum pw_status workers_load(struct workers *workers, struct pw_str bytes);

/* Have a job done. Thread-safe; waits for a free worker until deadline_ms
 * (CLOCK_MONOTONIC), then for its answer.
 *
 * Errors  PW_ERR_TIMEOUT  no worker was free by then
 *         PW_ERR_PROTOCOL this job ended its worker, or took longer than job_ms: it may
 *                         be to blame
 *         PW_ERR_IO       no worker can be had now: no process, or it ended at its birth
 *         PW_ERR_AWAY     nor ever: the nursery is gone
 *         PW_ERR_LIMIT    job over WORKERS_JOB_MAX; or what work returned */
PW_MUST_CHECK enum pw_status workers_ask(struct workers *workers, struct pw_str job,
                                         struct pw_buf *answer_out, int64_t deadline_ms);

/* For counters: how many there are, and how many were ended by their jobs. */
struct workers_numbers {
	int64_t running, crashed;
};
struct workers_numbers workers_numbers(struct workers *workers);
