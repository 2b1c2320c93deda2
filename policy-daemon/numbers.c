#include "policyd/numbers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"

#define WRITE_EVERY_MS 15000

static const struct pw_counter_row rows[] = {
#define PW PW_COUNTER_ROW
#include "policyd/counters.def"
#undef PW
};
static _Atomic int64_t values[NUMBER_IDS];
struct pw_counters numbers = { "postward-policyd", rows, values, NUMBER_IDS };

struct numbers_writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	char *directory; /* our own: settings go with a reload */
	bool is_poked, is_stopping;
};

static void write_once(const struct numbers_writer *writer, bool *has_failed)
{
	enum pw_status r = pw_counters_write(&numbers, writer->directory);

	if (r != PW_OK && !*has_failed)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "metrics"),
		       PW_KV("why", pw_status_text(r)),
		       PW_KV("directory", writer->directory), PW_KV_END);
	*has_failed = r != PW_OK;
}

static void *writer_main(void *arg)
{
	struct numbers_writer *writer = arg;
	bool has_failed = false, is_stopping = false;

	while (!is_stopping) {
		int64_t until_ms;

		write_once(writer, &has_failed);
		until_ms = pw_clock_mono_ms() + WRITE_EVERY_MS;
		pthread_mutex_lock(&writer->lock);
		while (!writer->is_poked && !writer->is_stopping)
			if (!pw_cond_wait(&writer->wake, &writer->lock, until_ms))
				break;
		writer->is_poked = false;
		is_stopping = writer->is_stopping;
		pthread_mutex_unlock(&writer->lock);
	}
	write_once(writer, &has_failed);
	return NULL;
}

static void writer_free(struct numbers_writer *writer)
{
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
	free(writer->directory);
	free(writer);
}

enum pw_status numbers_start(struct numbers_writer **out, const char *directory)
{
	struct numbers_writer *writer = calloc(1, sizeof(*writer));
	enum pw_status r;

	if (writer == NULL)
		return PW_ERR_NOMEM;
	if ((writer->directory = strdup(directory)) == NULL) {
		free(writer);
		return PW_ERR_NOMEM;
	}
	pthread_mutex_init(&writer->lock, NULL);
	pw_cond_init(&writer->wake);
	if ((r = pw_thread_start(&writer->thread, writer_main, writer)) != PW_OK) {
		writer_free(writer);
		return r;
	}
	*out = writer;
	return PW_OK;
}

static void wake(struct numbers_writer *writer, bool *flag)
{
	pthread_mutex_lock(&writer->lock);
	*flag = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
}

void numbers_poke(struct numbers_writer *writer)
{
	wake(writer, &writer->is_poked);
}

void numbers_stop(struct numbers_writer **writer)
{
	if (*writer == NULL)
		return;
	wake(*writer, &(*writer)->is_stopping);
	pthread_join((*writer)->thread, NULL);
	writer_free(*writer);
	*writer = NULL;
}
