#include "policyd/recall.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "db/pool.h"
#include "io/clock.h"
#include "io/thread.h"
#include "policyd/again.h"

#define ATTEMPT_MS 5000
/* A row becomes visible when its transaction ends, with a time before that. */
#define OVERLAP_MS 10000
#define COLUMN_CHANGED 6

struct recall {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct pw_db *db;
	_Atomic(struct pw_db_result *) greylist, habits;
	atomic_bool wants_greylist;
	int64_t since_ms; /* of the next look at the greylist; the thread's */
	struct again again_habits, again_greylist; /* the thread's */
	bool has_habits;                           /* the thread's */
	bool is_stopping;
};

static bool pause_or_stop(struct recall *recall)
{
	int64_t until_ms = pw_clock_mono_ms() + RECALL_EVERY_MS;
	bool is_stopping;

	pthread_mutex_lock(&recall->lock);
	if (!recall->is_stopping)
		(void)pw_cond_wait(&recall->wake, &recall->lock, until_ms);
	is_stopping = recall->is_stopping;
	pthread_mutex_unlock(&recall->lock);
	return is_stopping;
}

static void load_habits(struct recall *recall)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	enum pw_status r = pw_db_exec(
		recall->db, "SELECT email, busiest, at_ms FROM mail.send_habits_load()",
		NULL, 0, pw_clock_mono_ms() + ATTEMPT_MS, &rows);

	again_asked(&recall->again_habits, r, 0, pw_clock_mono_ms());
	if (r != PW_OK)
		return;
	recall->has_habits = true;
	atomic_store(&recall->habits, PW_TAKE(rows));
}

/* The last row is the latest; without one the next look begins where this one did. */
static void move_on(struct recall *recall, const struct pw_db_result *rows)
{
	size_t count = pw_db_rows(rows);
	int64_t latest_ms = count > 0 ? pw_db_int(rows, count - 1, COLUMN_CHANGED, 0) : 0;

	if (latest_ms - OVERLAP_MS > recall->since_ms)
		recall->since_ms = latest_ms - OVERLAP_MS;
}

static void load_greylist(struct recall *recall)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf since = { 0 };
	struct pw_str param;
	enum pw_status r;

	pw_buf_put_int(&since, recall->since_ms);
	param = pw_buf_str(&since);
	if ((r = pw_buf_status(&since)) == PW_OK)
		r = pw_db_exec(recall->db,
		               "SELECT client, sender, recipient, first_ms, passed_ms, "
		               "passes, changed_ms FROM mail.greylist_load($1::bigint)",
		               &param, 1, pw_clock_mono_ms() + ATTEMPT_MS, &rows);
	again_asked(&recall->again_greylist, r, 0, pw_clock_mono_ms());
	if (r != PW_OK)
		return;
	move_on(recall, rows);
	atomic_store(&recall->greylist, PW_TAKE(rows));
}

static void *recall_main(void *arg)
{
	struct recall *recall = arg;

	do {
		if (!recall->has_habits &&
		    again_is_due(&recall->again_habits, pw_clock_mono_ms()))
			load_habits(recall);
		if (atomic_load(&recall->wants_greylist) &&
		    again_is_due(&recall->again_greylist, pw_clock_mono_ms()) &&
		    atomic_load(&recall->greylist) == NULL)
			load_greylist(recall);
	} while (!pause_or_stop(recall));
	return NULL;
}

static void free_unstarted(struct recall **recall)
{
	if (*recall == NULL)
		return;
	pw_db_close(&(*recall)->db);
	pthread_cond_destroy(&(*recall)->wake);
	pthread_mutex_destroy(&(*recall)->lock);
	free(*recall);
	*recall = NULL;
}

enum pw_status recall_start(struct recall **out, const struct pw_db_config *config,
                            struct pw_buf *why_out)
{
	PW_AUTO(free_unstarted) struct recall *recall = calloc(1, sizeof(*recall));
	enum pw_status r;

	if (recall == NULL)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&recall->lock, NULL);
	pw_cond_init(&recall->wake);
	if ((r = pw_db_open(&recall->db, config, 1, why_out)) != PW_OK)
		return r;
	if ((r = pw_thread_start(&recall->thread, recall_main, recall)) != PW_OK)
		return r;
	*out = PW_TAKE(recall);
	return PW_OK;
}

void recall_stop(struct recall **recall)
{
	struct pw_db_result *rows;

	if (*recall == NULL)
		return;
	pthread_mutex_lock(&(*recall)->lock);
	(*recall)->is_stopping = true;
	pthread_cond_signal(&(*recall)->wake);
	pthread_mutex_unlock(&(*recall)->lock);
	pthread_join((*recall)->thread, NULL);
	rows = recall_take_greylist(*recall);
	pw_db_result_free(&rows);
	rows = recall_take_habits(*recall);
	pw_db_result_free(&rows);
	free_unstarted(recall);
}

void recall_want_greylist(struct recall *recall, bool is_wanted)
{
	atomic_store(&recall->wants_greylist, is_wanted);
}

struct pw_db_result *recall_take_greylist(struct recall *recall)
{
	return atomic_exchange(&recall->greylist, NULL);
}

struct pw_db_result *recall_take_habits(struct recall *recall)
{
	return atomic_exchange(&recall->habits, NULL);
}
