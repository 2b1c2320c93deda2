#include "db/writer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "db/conn.h"
#include "io/clock.h"
#include "io/thread.h"

#define TELL_DROPPED_MS 60000
#define CLOSE_DRAIN_MS 2000

struct row {
	struct row *next;
	int64_t added_ms;
	size_t len;
	char at[];
};
struct rows {
	struct row *first, **last;
	size_t count;
};
struct stream {
	struct rows queue;
	struct pw_writer_numbers numbers;
	int64_t dropped_untold;
};

struct pw_writer {
	struct pw_writer_config config;
	struct pw_db_target *target;
	pthread_t thread;
	bool has_thread;
	int stop_fd; /* readable at the end of the drain: interrupts a statement */
	/* Of the thread alone. */
	struct pw_db_conn conn;
	struct pw_db_backoff backoff;
	bool has_drained; /* tried to write what was there when draining began */
	int64_t tell_dropped_ms, tell_refused_ms; /* not before */
	/* Shared. */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the thread: rows, or the end */
	pthread_cond_t done; /* the one who drains: the thread has ended */
	bool is_draining, is_done;
	int64_t drain_deadline_ms;
	struct stream streams[PW_WRITER_STREAMS_MAX];
};

/* ---- rows; under the lock where the queue is shared ---- */

static void rows_init(struct rows *rows)
{
	*rows = (struct rows){ 0 };
	rows->last = &rows->first;
}

static void rows_push(struct rows *rows, struct row *row)
{
	row->next = NULL;
	*rows->last = row;
	rows->last = &row->next;
	rows->count++;
}

static struct row *rows_pop(struct rows *rows)
{
	struct row *row = rows->first;

	rows->first = row->next;
	if (!rows->first)
		rows->last = &rows->first;
	rows->count--;
	return row;
}

static void rows_done(struct rows *rows)
{
	while (rows->first)
		free(rows_pop(rows));
}

static void drop_oldest(struct stream *stream)
{
	free(rows_pop(&stream->queue));
	stream->numbers.dropped++;
	stream->dropped_untold++;
}

/* ---- adding ---- */

static void wake(struct pw_writer *w)
{
	(void)pthread_cond_signal(&w->wake);
}

static void lose(struct pw_writer *w, size_t stream)
{
	(void)pthread_mutex_lock(&w->lock);
	w->streams[stream].numbers.dropped++;
	w->streams[stream].dropped_untold++;
	(void)pthread_mutex_unlock(&w->lock);
}

enum pw_status pw_writer_add(struct pw_writer *w, size_t stream, struct pw_str object)
{
	struct stream *to = &w->streams[stream];
	bool is_long = object.len > PW_WRITER_ROW_MAX;
	struct row *row = is_long ? NULL : malloc(sizeof(*row) + object.len);

	if (!row) {
		lose(w, stream);
		return is_long ? PW_ERR_LIMIT : PW_ERR_NOMEM;
	}
	row->len = object.len;
	row->added_ms = pw_clock_mono_ms();
	memcpy(row->at, object.at, object.len);
	(void)pthread_mutex_lock(&w->lock);
	if (to->queue.count >= w->config.streams[stream].rows_max)
		drop_oldest(to);
	rows_push(&to->queue, row);
	if (to->queue.count == 1 ||
	    to->queue.count == w->config.streams[stream].batch_max)
		wake(w);
	(void)pthread_mutex_unlock(&w->lock);
	return PW_OK;
}

struct pw_writer_numbers pw_writer_numbers(struct pw_writer *w, size_t stream)
{
	struct pw_writer_numbers numbers;

	(void)pthread_mutex_lock(&w->lock);
	numbers = w->streams[stream].numbers;
	numbers.queued = (int64_t)w->streams[stream].queue.count;
	(void)pthread_mutex_unlock(&w->lock);
	return numbers;
}

/* ---- writing ---- */

static int64_t deadline_of(struct pw_writer *w, int64_t timeout_ms)
{
	int64_t deadline = pw_clock_mono_ms() + timeout_ms;

	(void)pthread_mutex_lock(&w->lock);
	if (w->is_draining && w->drain_deadline_ms < deadline)
		deadline = w->drain_deadline_ms;
	(void)pthread_mutex_unlock(&w->lock);
	return deadline;
}

/* Errors  PW_ERR_AWAY, PW_ERR_TIMEOUT, PW_ERR_NOMEM */
static enum pw_status ensure_open(struct pw_writer *w)
{
	const struct pw_db_config *config = pw_db_target_config(w->target);
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	bool was_open = w->conn.pg != NULL;
	enum pw_status r;

	if (pw_db_conn_is_alive(&w->conn))
		return PW_OK;
	if (was_open)
		pw_db_tell(w->target, PW_DB_LOST, "connection closed by the server", 0);
	r = pw_db_conn_open(&w->conn, w->backoff.failures,
	                    deadline_of(w, config->connect_timeout_ms), &why);
	if (r == PW_OK) {
		(void)pw_db_backoff_done(&w->backoff);
		pw_db_tell(w->target, PW_DB_CONNECTED, "", 0);
	} else if (pw_db_backoff_failed(&w->backoff, pw_clock_mono_ms())) {
		pw_db_tell(w->target, PW_DB_UNREACHABLE, pw_buf_text(&why), 0);
	}
	return r;
}

/* What became of a batch. */
enum fate {
	WRITTEN,
	LATER,   /* put back, try again after a while */
	DROPPED, /* perhaps written: once more could double it */
	REFUSED, /* the server does not want one of its rows */
};

static void put_array(struct pw_buf *out, const struct row *row)
{
	pw_buf_putc(out, '[');
	for (const struct row *first = row; row; row = row->next) {
		if (row != first)
			pw_buf_putc(out, ',');
		pw_buf_puts(out, (struct pw_str){ row->at, row->len });
	}
	pw_buf_putc(out, ']');
}

/* Rights and schema are the admin's to mend, and the rows keep until then. */
static bool is_ours(enum pw_status r, const struct pw_db_result *result)
{
	return r == PW_ERR_PROTOCOL && strncmp(pw_db_sqlstate(result), "42", 2) != 0;
}

static void tell_refused(struct pw_writer *w, const struct pw_db_result *result,
                         int64_t dropped)
{
	int64_t now = pw_clock_mono_ms();

	if (dropped == 0 && now < w->tell_refused_ms)
		return;
	w->tell_refused_ms = now + TELL_DROPPED_MS;
	pw_db_tell(w->target, PW_DB_WRITER_REFUSED, pw_db_message(result), dropped);
}

static enum fate write_rows(struct pw_writer *w, const struct pw_writer_stream *to,
                            const struct row *first)
{
	const struct pw_db_config *config = pw_db_target_config(w->target);
	PW_AUTO(pw_buf_done) struct pw_buf array = { .max = SIZE_MAX / 2 };
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	bool in_doubt = false;
	struct pw_str param;
	enum pw_status r;

	put_array(&array, first);
	if (pw_buf_status(&array) != PW_OK || ensure_open(w) != PW_OK)
		return LATER;
	param = pw_buf_str(&array);
	r = pw_db_conn_exec(&w->conn, to->sql, &param, 1,
	                    deadline_of(w, config->statement_timeout_ms), &result,
	                    &in_doubt);
	if (r == PW_OK)
		return WRITTEN;
	if (r == PW_ERR_SYNTAX || is_ours(r, result)) {
		if (!first->next)
			tell_refused(w, result, 1);
		return REFUSED;
	}
	if (r == PW_ERR_DENIED || r == PW_ERR_PROTOCOL)
		tell_refused(w, result, 0);
	if (!w->conn.pg)
		pw_db_tell(w->target, PW_DB_LOST, pw_status_text(r), 0);
	if (in_doubt && !to->is_repeatable)
		return DROPPED;
	(void)pw_db_backoff_failed(&w->backoff, pw_clock_mono_ms());
	return LATER;
}

/* Back to the head of the queue, in order; what no longer fits is the oldest. */
static void put_back(struct pw_writer *w, size_t stream, struct rows *batch)
{
	struct stream *to = &w->streams[stream];

	if (batch->count == 0)
		return;
	*batch->last = to->queue.first;
	if (to->queue.first)
		batch->last = to->queue.last;
	batch->count += to->queue.count;
	to->queue = *batch;
	rows_init(batch);
	while (to->queue.count > w->config.streams[stream].rows_max)
		drop_oldest(to);
}

static void count_fate(struct pw_writer *w, size_t stream, struct rows *batch,
                       enum fate fate)
{
	struct stream *of = &w->streams[stream];

	(void)pthread_mutex_lock(&w->lock);
	if (fate == WRITTEN)
		of->numbers.written += (int64_t)batch->count;
	else if (fate == LATER)
		put_back(w, stream, batch);
	else
		of->numbers.dropped += (int64_t)batch->count;
	if (fate == DROPPED)
		of->dropped_untold += (int64_t)batch->count;
	(void)pthread_mutex_unlock(&w->lock);
	rows_done(batch);
}

/* One row at a time, so that only the bad ones go. */
static enum fate write_singly(struct pw_writer *w, size_t stream, struct rows *batch)
{
	enum fate fate = WRITTEN;

	while (batch->first && fate != LATER) {
		struct rows one;

		rows_init(&one);
		rows_push(&one, rows_pop(batch));
		fate = write_rows(w, &w->config.streams[stream], one.first);
		if (fate ==
		    LATER) { /* back to where it was, for count_fate of the rest */
			struct row *row = rows_pop(&one);

			row->next = batch->first;
			if (!batch->first)
				batch->last = &row->next;
			batch->first = row;
			batch->count++;
			break;
		}
		count_fate(w, stream, &one, fate);
	}
	return fate;
}

/* Take up to batch_max rows, in all at most what one parameter should hold. */
static void take_batch(struct pw_writer *w, size_t stream, struct rows *out)
{
	struct rows *queue = &w->streams[stream].queue;
	size_t bytes = 0;

	rows_init(out);
	(void)pthread_mutex_lock(&w->lock);
	while (queue->first && out->count < w->config.streams[stream].batch_max &&
	       bytes < 4 * PW_WRITER_ROW_MAX) {
		bytes += queue->first->len;
		rows_push(out, rows_pop(queue));
	}
	(void)pthread_mutex_unlock(&w->lock);
}

/* Returns whether to go on. */
static bool write_batch(struct pw_writer *w, size_t stream)
{
	struct rows batch;
	enum fate fate;

	take_batch(w, stream, &batch);
	if (batch.count == 0)
		return true;
	fate = write_rows(w, &w->config.streams[stream], batch.first);
	if (fate == REFUSED && batch.count > 1)
		fate = write_singly(w, stream, &batch);
	count_fate(w, stream, &batch, fate);
	return fate != LATER;
}

/* ---- the thread ---- */

/* When the stream's oldest rows should go; INT64_MAX = nothing there. Under the lock. */
static int64_t due_ms(const struct pw_writer *w, size_t stream)
{
	const struct rows *queue = &w->streams[stream].queue;

	if (!queue->first)
		return INT64_MAX;
	if (w->is_draining || queue->count >= w->config.streams[stream].batch_max)
		return 0;
	return queue->first->added_ms + w->config.flush_ms;
}

static int64_t first_due_ms(const struct pw_writer *w)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < w->config.stream_count; i++)
		if (due_ms(w, i) < first)
			first = due_ms(w, i);
	if (w->is_draining && !w->has_drained)
		return first; /* one try at least */
	if (first != INT64_MAX && first < w->backoff.next_ms)
		first = w->backoff.next_ms;
	return first;
}

static bool is_over(const struct pw_writer *w, int64_t now_ms)
{
	if (!w->is_draining)
		return false;
	return first_due_ms(w) == INT64_MAX || now_ms >= w->drain_deadline_ms;
}

/* Sleep until something is due. Returns false at the end. */
static bool wait_due(struct pw_writer *w)
{
	bool over;

	(void)pthread_mutex_lock(&w->lock);
	for (;;) {
		int64_t now = pw_clock_mono_ms(), due = first_due_ms(w);

		if ((over = is_over(w, now)) || due <= now)
			break;
		if (w->is_draining && w->drain_deadline_ms < due)
			due = w->drain_deadline_ms;
		(void)pw_cond_wait(&w->wake, &w->lock, due);
	}
	w->has_drained = w->is_draining;
	(void)pthread_mutex_unlock(&w->lock);
	return !over;
}

static bool is_due(struct pw_writer *w, size_t stream)
{
	int64_t due;

	(void)pthread_mutex_lock(&w->lock);
	due = due_ms(w, stream);
	(void)pthread_mutex_unlock(&w->lock);
	return due <= pw_clock_mono_ms();
}

static void tell_dropped(struct pw_writer *w)
{
	int64_t n = 0, now = pw_clock_mono_ms();

	if (now < w->tell_dropped_ms)
		return;
	(void)pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->config.stream_count; i++) {
		n += w->streams[i].dropped_untold;
		w->streams[i].dropped_untold = 0;
	}
	(void)pthread_mutex_unlock(&w->lock);
	if (n == 0)
		return;
	w->tell_dropped_ms = now + TELL_DROPPED_MS;
	pw_db_tell(w->target, PW_DB_WRITER_DROPPED, "", n);
}

static void *run(void *arg)
{
	struct pw_writer *w = arg;

	while (wait_due(w)) {
		for (size_t i = 0; i < w->config.stream_count; i++)
			if (is_due(w, i) && !write_batch(w, i))
				break;
		tell_dropped(w);
	}
	w->tell_dropped_ms = 0;
	tell_dropped(w);
	pw_db_conn_close(&w->conn);
	(void)pthread_mutex_lock(&w->lock);
	w->is_done = true;
	(void)pthread_cond_signal(&w->done);
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- opening and closing ---- */

static enum pw_status start_thread(struct pw_writer *w)
{
	enum pw_status r = pw_thread_start(&w->thread, run, w);

	w->has_thread = r == PW_OK;
	return r;
}

static void init_shared(struct pw_writer *w)
{
	(void)pthread_mutex_init(&w->lock, NULL);
	pw_cond_init(&w->wake);
	pw_cond_init(&w->done);
	for (size_t i = 0; i < PW_WRITER_STREAMS_MAX; i++)
		rows_init(&w->streams[i].queue);
}

enum pw_status pw_writer_open(struct pw_writer **out,
                              const struct pw_writer_config *config,
                              struct pw_buf *why_out)
{
	PW_AUTO(pw_writer_close) struct pw_writer *w = calloc(1, sizeof(*w));
	enum pw_status r;

	if (!w)
		return PW_ERR_NOMEM;
	init_shared(w);
	w->config = *config;
	w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->stop_fd < 0)
		return PW_ERR_IO;
	if ((r = pw_db_target_new(&w->target, &config->db, why_out)) != PW_OK)
		return r;
	w->config.db = *pw_db_target_config(w->target);
	w->conn = (struct pw_db_conn){ w->target, NULL, w->stop_fd };
	if ((r = start_thread(w)) != PW_OK)
		return r;
	*out = PW_TAKE(w);
	return PW_OK;
}

/* Wait for the thread until the deadline, then interrupt what it is at. */
static void join(struct pw_writer *w, int64_t deadline_ms)
{
	const uint64_t one = 1;
	bool in_time = true;

	(void)pthread_mutex_lock(&w->lock);
	while (!w->is_done && in_time)
		in_time = pw_cond_wait(&w->done, &w->lock, deadline_ms);
	(void)pthread_mutex_unlock(&w->lock);
	if (write(w->stop_fd, &one, sizeof(one)) == sizeof(one))
		(void)pthread_join(w->thread, NULL);
}

void pw_writer_drain(struct pw_writer *w, int64_t drain_ms)
{
	int64_t deadline = pw_clock_mono_ms() + drain_ms;

	if (!w->has_thread)
		return;
	(void)pthread_mutex_lock(&w->lock);
	w->is_draining = true;
	w->drain_deadline_ms = deadline;
	wake(w);
	(void)pthread_mutex_unlock(&w->lock);
	join(w, deadline);
	w->has_thread = false;
}

void pw_writer_close(struct pw_writer **writer)
{
	struct pw_writer *w = *writer;

	if (!w)
		return;
	pw_writer_drain(w, CLOSE_DRAIN_MS);
	for (size_t i = 0; i < PW_WRITER_STREAMS_MAX; i++)
		rows_done(&w->streams[i].queue);
	if (w->stop_fd >= 0)
		(void)close(w->stop_fd);
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_cond_destroy(&w->done);
	(void)pthread_mutex_destroy(&w->lock);
	pw_db_target_free(&w->target);
	free(w);
	*writer = NULL;
}
