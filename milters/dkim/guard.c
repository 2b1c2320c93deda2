#include "dkim/guard.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "dkim/counters.h"
#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"

struct guard {
	struct pw_dkim_lib *lib;
	atomic_ullong seen; /* messages asked about */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct letter *queue[GUARD_QUEUE_MAX]; /* under lock, the oldest first */
	size_t count;
	bool is_stopping;
};

static void tell(const struct letter *letter, const struct letter_verdict *verdict)
{
	static const size_t count_of[LETTER_RESULTS] = {
		[LETTER_FINE] = COUNT_guard_fine,
		[LETTER_BROKEN] = COUNT_guard_broken,
		[LETTER_UNDECIDED] = COUNT_guard_undecided,
	};

	pw_count(&counters, count_of[verdict->result], 1);
	if (verdict->result == LETTER_BROKEN)
		pw_log(PW_LOG_ERROR, letter_id(letter), PW_KV("event", "guard"),
		       PW_KV("domain", verdict->domain),
		       PW_KV("selector", verdict->selector),
		       PW_KV("why", verdict->reason), PW_KV_END);
}

static void look(struct guard *guard, struct letter *letter)
{
	struct letter_verdict verdict;

	if (letter_verify(&verdict, letter, guard->lib, pw_clock_wall_ms()) != PW_OK) {
		pw_count(&counters, COUNT_guard_undecided, 1);
		return;
	}
	tell(letter, &verdict);
}

/* The next letter; NULL: the end. */
static struct letter *wait_for_letter(struct guard *guard)
{
	struct letter *letter = NULL;

	(void)pthread_mutex_lock(&guard->lock);
	while (guard->count == 0 && !guard->is_stopping)
		(void)pw_cond_wait(&guard->wake, &guard->lock, INT64_MAX);
	if (!guard->is_stopping) {
		letter = guard->queue[0];
		guard->count--;
		for (size_t i = 0; i < guard->count; i++)
			guard->queue[i] = guard->queue[i + 1];
	}
	(void)pthread_mutex_unlock(&guard->lock);
	return letter;
}

static void *run(void *arg)
{
	struct guard *guard = arg;
	struct letter *letter;

	while ((letter = wait_for_letter(guard)) != NULL) {
		look(guard, letter);
		letter_free(&letter);
	}
	return NULL;
}

enum pw_status guard_start(struct guard **out)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	enum pw_status r;

	if (!guard)
		return PW_ERR_NOMEM;
	(void)pthread_mutex_init(&guard->lock, NULL);
	pw_cond_init(&guard->wake);
	if ((r = pw_dkim_lib_new(&guard->lib, 0)) == PW_OK)
		r = pw_thread_start(&guard->thread, run, guard);
	if (r != PW_OK) {
		pw_dkim_lib_free(&guard->lib);
		free(guard);
		return r;
	}
	*out = guard;
	return PW_OK;
}

void guard_stop(struct guard **guard_inout)
{
	struct guard *guard = *guard_inout;

	if (!guard)
		return;
	(void)pthread_mutex_lock(&guard->lock);
	guard->is_stopping = true;
	(void)pthread_cond_signal(&guard->wake);
	(void)pthread_mutex_unlock(&guard->lock);
	(void)pthread_join(guard->thread, NULL);
	for (size_t i = 0; i < guard->count; i++)
		letter_free(&guard->queue[i]);
	(void)pthread_cond_destroy(&guard->wake);
	(void)pthread_mutex_destroy(&guard->lock);
	pw_dkim_lib_free(&guard->lib);
	free(guard);
	*guard_inout = NULL;
}

bool guard_wants(struct guard *guard, int64_t one_in)
{
	return one_in > 0 &&
	       atomic_fetch_add(&guard->seen, 1) % (unsigned long long)one_in == 0;
}

void guard_take(struct guard *guard, struct letter **letter)
{
	bool has_room;

	(void)pthread_mutex_lock(&guard->lock);
	has_room = guard->count < GUARD_QUEUE_MAX;
	if (has_room) {
		guard->queue[guard->count++] = PW_TAKE(*letter);
		(void)pthread_cond_signal(&guard->wake);
	}
	(void)pthread_mutex_unlock(&guard->lock);
	if (!has_room)
		pw_count(&counters, COUNT_guard_undecided, 1);
	letter_free(letter);
}
