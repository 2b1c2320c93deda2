#include "policyd/restore.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "db/pool.h"
#include "io/clock.h"
#include "io/thread.h"

#define ATTEMPT_MS 2000
#define PAUSE_MS 500

struct restore {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct pw_db *db;
	void (*done)(void *arg);
	void *arg;
	_Atomic(struct pw_db_result *) rows;
	bool is_stopping;
};

static bool pause_or_stop(struct restore *restore)
{
	int64_t until_ms = pw_clock_mono_ms() + PAUSE_MS;
	bool is_stopping;

	pthread_mutex_lock(&restore->lock);
	if (!restore->is_stopping)
		(void)pw_cond_wait(&restore->wake, &restore->lock, until_ms);
	is_stopping = restore->is_stopping;
	pthread_mutex_unlock(&restore->lock);
	return is_stopping;
}

static void *restore_main(void *arg)
{
	struct restore *restore = arg;

	do {
		PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;

		if (pw_db_exec(restore->db,
		               "SELECT id, who, full_at_us, head_us, width_us, counts, "
		               "told_until_us, over "
		               "FROM mail.rate_stored()",
		               NULL, 0, pw_clock_mono_ms() + ATTEMPT_MS,
		               &rows) == PW_OK) {
			atomic_store(&restore->rows, PW_TAKE(rows));
			restore->done(restore->arg);
			return NULL;
		}
	} while (!pause_or_stop(restore));
	return NULL;
}

static void free_unstarted(struct restore **restore)
{
	if (*restore == NULL)
		return;
	pw_db_close(&(*restore)->db);
	pthread_cond_destroy(&(*restore)->wake);
	pthread_mutex_destroy(&(*restore)->lock);
	free(*restore);
	*restore = NULL;
}

enum pw_status restore_start(struct restore **out, const struct pw_db_config *config,
                             void (*done)(void *arg), void *arg, struct pw_buf *why_out)
{
	PW_AUTO(free_unstarted) struct restore *restore = calloc(1, sizeof(*restore));
	enum pw_status r;

	if (restore == NULL)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&restore->lock, NULL);
	pw_cond_init(&restore->wake);
	restore->done = done;
	restore->arg = arg;
	if ((r = pw_db_open(&restore->db, config, 1, why_out)) != PW_OK)
		return r;
	if (pthread_create(&restore->thread, NULL, restore_main, restore) != 0)
		return PW_ERR_IO;
	*out = PW_TAKE(restore);
	return PW_OK;
}

struct pw_db_result *restore_take(struct restore *restore)
{
	return atomic_exchange(&restore->rows, NULL);
}

void restore_stop(struct restore **restore)
{
	struct pw_db_result *rows;

	if (*restore == NULL)
		return;
	pthread_mutex_lock(&(*restore)->lock);
	(*restore)->is_stopping = true;
	pthread_cond_signal(&(*restore)->wake);
	pthread_mutex_unlock(&(*restore)->lock);
	pthread_join((*restore)->thread, NULL);
	rows = restore_take(*restore);
	pw_db_result_free(&rows);
	free_unstarted(restore);
}
