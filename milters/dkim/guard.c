#include "dkim/guard.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/json.h"
#include "dkim/counters.h"
#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"

/* Whatever happens, the database keeps one an hour and domain. */
static const struct pw_writer_stream streams[] = {
	{ "SELECT mail.record_dkim_alarms($1::jsonb)", 100, 100, true },
};
#define ALARMS_FLUSH_MS 500

struct guard {
	struct pw_dkim_lib *lib;
	struct pw_writer *alarms;
	atomic_ullong seen; /* messages asked about */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct letter *queue[GUARD_QUEUE_MAX]; /* under lock, the oldest first */
	size_t count;
	bool is_stopping;
};

static void put(struct pw_buf *out, const char *key, struct pw_str value)
{
	pw_buf_printf(out, "%s\"%s\": ", out->len > 1 ? ", " : "", key);
	pw_json_put_string(out, value);
}

/* A row that cannot be queued is lost: the log has the alarm. */
static void raise_alarm(struct guard *guard, const struct letter *letter,
                        const struct letter_verdict *verdict)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };

	pw_log(PW_LOG_ERROR, letter_id(letter), PW_KV("event", "guard"),
	       PW_KV("domain", verdict->domain), PW_KV("selector", verdict->selector),
	       PW_KV("why", verdict->reason), PW_KV_END);
	pw_buf_putc(&row, '{');
	put(&row, "domain", verdict->domain);
	put(&row, "selector", verdict->selector);
	put(&row, "why", pw_str_from(verdict->reason));
	put(&row, "queue_id", pw_str_from(letter_id(letter)));
	pw_buf_putc(&row, '}');
	if (pw_buf_status(&row) == PW_OK)
		(void)!pw_writer_add(guard->alarms, 0, pw_buf_str(&row));
}

static void tell(struct guard *guard, const struct letter *letter,
                 const struct letter_verdict *verdict)
{
	static const size_t count_of[LETTER_RESULTS] = {
		[LETTER_FINE] = COUNT_guard_fine,
		[LETTER_BROKEN] = COUNT_guard_broken,
		[LETTER_UNDECIDED] = COUNT_guard_undecided,
	};

	pw_count(&counters, count_of[verdict->result], 1);
	if (verdict->result == LETTER_BROKEN)
		raise_alarm(guard, letter, verdict);
}

static void look(struct guard *guard, struct letter *letter)
{
	struct letter_verdict verdict;

	if (letter_verify(&verdict, letter, guard->lib, pw_clock_wall_ms()) != PW_OK) {
		pw_count(&counters, COUNT_guard_undecided, 1);
		return;
	}
	tell(guard, letter, &verdict);
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

static enum pw_status open_alarms(struct guard *guard, const struct pw_db_config *db)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	const struct pw_writer_config config = { .db = *db,
		                                 .streams = streams,
		                                 .stream_count = PW_LEN(streams),
		                                 .flush_ms = ALARMS_FLUSH_MS };
	enum pw_status r = pw_writer_open(&guard->alarms, &config, &why);

	if (r == PW_ERR_CONFIG)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "guard"),
		       PW_KV("why", pw_buf_text(&why)), PW_KV_END);
	return r;
}

enum pw_status guard_start(struct guard **out, const struct pw_db_config *db)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	enum pw_status r;

	if (!guard)
		return PW_ERR_NOMEM;
	(void)pthread_mutex_init(&guard->lock, NULL);
	pw_cond_init(&guard->wake);
	if ((r = pw_dkim_lib_new(&guard->lib, 0)) == PW_OK &&
	    (r = open_alarms(guard, db)) == PW_OK)
		r = pw_thread_start(&guard->thread, run, guard);
	if (r != PW_OK) {
		pw_writer_close(&guard->alarms);
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
	pw_writer_close(&guard->alarms);
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
