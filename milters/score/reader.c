#include "score/reader.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/map.h"
#include "db/image.h"
#include "io/clock.h"
#include "io/log.h"
#include "mail/charsets.h"
#include "score/crashes.h"
#include "score/rules.h"

struct reader {
	const struct pw_psl *psl;
	struct rules *rules; /* in the nursery and its children */
	struct pw_arena *arena;
	struct pw_str crash_text; /* borrowed from the settings of the start */
	int64_t wait_ms;
	struct workers *workers;
	pthread_mutex_t lock; /* of crashes */
	struct crashes crashes;
	bool has_crashes; /* so that nothing is looked up while there are none */
};

/* ---- in the nursery */

static enum pw_status load(void *arg, struct pw_str bytes)
{
	struct reader *reader = arg;
	PW_AUTO(pw_snapshot_data_free) struct pw_snapshot_data *data = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf complaints = { 0 };
	struct pw_image_head head;
	struct rules *rules = NULL;
	enum pw_status r;

	r = pw_image_read(&data, &head, bytes, rules_queries, RULES_QUERIES, &complaints);
	if (r == PW_OK)
		r = rules_read(&rules, data, &complaints); /* told by the daemon itself */
	if (r != PW_OK)
		return r;
	rules_free(&reader->rules);
	reader->rules = rules;
	return PW_OK;
}

static enum pw_status work(void *arg, struct pw_str job, struct pw_buf *answer_out)
{
	struct reader *reader = arg;
	struct pw_check context = {
		.psl = reader->psl,
		.is_local_domain = rules_is_local,
		.user = reader->rules,
		.own_rules = rules_own(reader->rules),
		.arena = reader->arena,
	};

	if (reader->crash_text.len > 0 && pw_str_contains(job, reader->crash_text))
		abort();
	pw_arena_reset(reader->arena);
	return pw_reading_do_job(answer_out, job, &context, rules_weights(reader->rules));
}

/* ---- in the daemon */

static size_t reader_count(const struct settings *set)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (set->readers > 0)
		return (size_t)set->readers;
	return processors > WORKERS_MAX / 2 ? WORKERS_MAX
	       : processors > 0             ? (size_t)processors * 2
	                                    : 2;
}

enum pw_status reader_open(struct reader **out, const struct settings *set,
                           const struct pw_psl *psl, struct pw_buf *why_out)
{
	PW_AUTO(reader_close) struct reader *reader = calloc(1, sizeof(*reader));
	struct workers_config config = {
		.count = reader_count(set),
		.job_ms = set->reader_deadline_ms,
		.load = load,
		.work = work,
		.arg = reader,
		.is_jailed = set->sandbox == SANDBOX_YES,
	};
	enum pw_status r;

	if (reader == NULL)
		return PW_ERR_NOMEM;
	reader->psl = psl;
	reader->wait_ms = set->reader_deadline_ms;
	reader->crash_text = pw_str_from(set->reader_crash_text);
	if (pthread_mutex_init(&reader->lock, NULL) != 0)
		return PW_ERR_NOMEM;
	if ((r = rules_new(&reader->rules)) != PW_OK ||
	    (r = pw_arena_new(&reader->arena, PW_MESSAGE_ARENA_MAX)) != PW_OK)
		return r;
	pw_charsets_keep(); /* no file can be opened later */
	if ((r = workers_open(&reader->workers, &config, why_out)) != PW_OK)
		return r;
	*out = PW_TAKE(reader);
	return PW_OK;
}

void reader_close(struct reader **reader)
{
	if (*reader == NULL)
		return;
	workers_close(&(*reader)->workers);
	pw_arena_free(&(*reader)->arena);
	rules_free(&(*reader)->rules);
	free(*reader);
	*reader = NULL;
}

void reader_load(struct reader *reader, const struct pw_snapshot_data *data)
{
	PW_AUTO(pw_buf_done) struct pw_buf image = { 0 };
	struct pw_image_head head = { 0 };
	enum pw_status r;

	pw_buf_init(&image, PW_SNAPSHOT_BYTES_MAX);
	pw_image_begin(&image, &head);
	for (size_t q = 0; q < RULES_QUERIES; q++) {
		size_t rows = pw_snapshot_rows(data, q);

		pw_image_table(&image, rows, rules_queries[q].columns);
		for (size_t i = 0; i < rows; i++)
			for (size_t c = 0; c < rules_queries[q].columns; c++)
				pw_image_cell(&image, pw_snapshot_value(data, q, i, c));
	}
	r = pw_image_end(&image);
	if (r == PW_OK)
		r = workers_load(reader->workers, pw_buf_str(&image));
	if (r != PW_OK)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "readers_not_told"),
		       PW_KV("why", pw_status_text(r)), PW_KV_END);
}

static uint64_t key_of(struct pw_str job)
{
	static const uint8_t seed[16] = "postward-reader";

	return pw_siphash(seed, pw_reading_message_of(job));
}

static bool is_given_up(struct reader *reader, struct pw_str job)
{
	unsigned count = 0;

	if (!__atomic_load_n(&reader->has_crashes, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&reader->lock);
	count = crashes_of(&reader->crashes, key_of(job), pw_clock_mono_ms());
	pthread_mutex_unlock(&reader->lock);
	return count >= CRASHES_ENOUGH;
}

static void note_crash(struct reader *reader, struct pw_str job)
{
	unsigned count;

	pthread_mutex_lock(&reader->lock);
	count = crashes_note(&reader->crashes, key_of(job), pw_clock_mono_ms());
	pthread_mutex_unlock(&reader->lock);
	__atomic_store_n(&reader->has_crashes, true, __ATOMIC_RELAXED);
	pw_log(PW_LOG_ERROR, "", PW_KV("event", "reader_ended"),
	       PW_KV("why", "crashed, or took too long"), PW_KV_INT("times", count),
	       PW_KV_END);
}

enum pw_status reader_read(void *arg, struct pw_str job, struct pw_buf *answer_out)
{
	struct reader *reader = arg;
	enum pw_status r;

	if (is_given_up(reader, job))
		return PW_ERR_DENIED;
	r = workers_ask(reader->workers, job, answer_out,
	                pw_clock_mono_ms() + reader->wait_ms);
	if (r == PW_ERR_PROTOCOL)
		note_crash(reader, job);
	if (r != PW_ERR_AWAY)
		return r;
	/* Without its nursery this process is of no use, and cannot make another. */
	pw_log(PW_LOG_ERROR, "", PW_KV("event", "readers_gone"),
	       PW_KV("action", "restart"), PW_KV_END);
	_exit(EXIT_FAILURE);
}

struct workers_numbers reader_numbers(struct reader *reader)
{
	return workers_numbers(reader->workers);
}
