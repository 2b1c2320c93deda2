#include "db/snapshot.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "db/conn.h"
#include "db/image.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/thread.h"

/* A burst of changes is one load: notifications are gathered this long, and a load that
 * takes longer waits its own time before the next. */
#define GATHER_MS 100
/* What answers at once or not at all: a server that is gone without a word must not look
 * fresh for longer. Loading may take longer than a statement of the mail path. */
#define PROBE_TIMEOUT_MS 5000
#define LOAD_TIMEOUT_MS 60000
#define LOAD_TIMEOUT_SQL "SET LOCAL statement_timeout = 60000"
#define COPY_MODE 0600
/* After a load that failed: try again, and say so, not more often than that. */
#define RETRY_MS 5000
#define TELL_FAILED_MS 60000

struct view {
	struct pw_snapshot_view open; /* first: what callers hold */
	atomic_uint holders;
	void *compiled;
	void (*release)(void *arg, void *compiled);
	void *arg;
};

struct pw_snapshot {
	struct pw_snapshot_config config;
	struct pw_db_target *target;
	struct pw_buf copy_path;
	uint8_t fingerprint[PW_IMAGE_HASH_BYTES];
	pthread_t thread;
	bool has_thread;
	atomic_bool is_stopping;
	int stop_fd, poke_fd; /* to wake the thread */
	/* Of the thread alone. */
	struct pw_db_conn conn;
	struct pw_db_backoff backoff;
	bool has_failed;        /* the last look did not end in a good load */
	int64_t tell_failed_ms; /* not before */
	bool is_refused;        /* compile refused refused_generation */
	int64_t refused_generation;
	int64_t load_ms; /* how long the last load took */
	/* Shared. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct view *current;
	int64_t confirmed_ms; /* wall clock: the database last said that current is right
	                       */
	bool is_fresh;
};

/* ---- views ---- */

static void view_drop(struct view *v)
{
	if (!v || atomic_fetch_sub(&v->holders, 1) != 1)
		return;
	v->release(v->arg, v->compiled);
	free(v);
}

const struct pw_snapshot_view *pw_snapshot_get(struct pw_snapshot *s)
{
	struct view *v;

	(void)pthread_mutex_lock(&s->lock);
	if ((v = s->current))
		(void)atomic_fetch_add(&v->holders, 1);
	(void)pthread_mutex_unlock(&s->lock);
	return v ? &v->open : NULL;
}

void pw_snapshot_put(const struct pw_snapshot_view **view)
{
	union {
		const struct pw_snapshot_view *open;
		struct view *whole;
	} v = { *view };

	view_drop(v.whole);
	*view = NULL;
}

static void set_fresh(struct pw_snapshot *s, bool is_fresh)
{
	(void)pthread_mutex_lock(&s->lock);
	s->is_fresh = is_fresh;
	if (is_fresh)
		s->confirmed_ms = pw_clock_wall_ms();
	(void)pthread_mutex_unlock(&s->lock);
}

bool pw_snapshot_is_fresh(struct pw_snapshot *s)
{
	bool is_fresh;

	(void)pthread_mutex_lock(&s->lock);
	is_fresh = s->is_fresh;
	(void)pthread_mutex_unlock(&s->lock);
	return is_fresh;
}

int64_t pw_snapshot_age_ms(struct pw_snapshot *s)
{
	int64_t age = -1;

	(void)pthread_mutex_lock(&s->lock);
	if (s->current)
		age = pw_clock_wall_ms() - s->confirmed_ms;
	if (s->current && age < 0)
		age = 0; /* the clock stepped back */
	(void)pthread_mutex_unlock(&s->lock);
	return age;
}

/* Put a compiled value in place of the current one. */
static enum pw_status install(struct pw_snapshot *s, void *compiled,
                              const struct pw_image_head *head, bool is_fresh)
{
	struct view *v = calloc(1, sizeof(*v)), *old;

	if (!v) {
		s->config.release(s->config.arg, compiled);
		return PW_ERR_NOMEM;
	}
	v->open = (struct pw_snapshot_view){ compiled, head->generation, head->read_ms };
	v->compiled = compiled;
	v->release = s->config.release;
	v->arg = s->config.arg;
	atomic_init(&v->holders, 1);
	(void)pthread_mutex_lock(&s->lock);
	old = s->current;
	s->current = v;
	s->is_fresh = is_fresh;
	s->confirmed_ms = head->read_ms;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
	view_drop(old);
	return PW_OK;
}

static void copy_save(struct pw_snapshot *s, struct pw_str bytes)
{
	enum pw_status r;

	if (s->copy_path.len == 0)
		return;
	r = pw_file_replace(pw_buf_text(&s->copy_path), bytes, COPY_MODE);
	if (r != PW_OK)
		pw_db_tell(s->target, PW_DB_COPY_FAILED,
		           r == PW_ERR_IO ? strerror(errno) : pw_status_text(r), 0);
}

/* Bytes to the current snapshot. What the database said goes to disk first, which takes a
 * while: between the new snapshot being there and everybody hearing of it is no time. */
static enum pw_status use_image(struct pw_snapshot *s, struct pw_str bytes, bool is_fresh,
                                struct pw_image_head *head, struct pw_buf *why)
{
	PW_AUTO(pw_snapshot_data_free) struct pw_snapshot_data *data = NULL;
	void *compiled = NULL;
	enum pw_status r;

	if ((r = pw_image_read(&data, head, bytes, s->config.queries,
	                       s->config.query_count, why)) != PW_OK)
		return r;
	if (memcmp(head->fingerprint, s->fingerprint, sizeof(s->fingerprint)) != 0) {
		pw_buf_puts(why, PW_STR("made by another version"));
		return PW_ERR_SYNTAX;
	}
	if ((r = s->config.compile(s->config.arg, data, &compiled, why)) != PW_OK)
		return r;
	if (is_fresh)
		copy_save(s, bytes);
	return install(s, compiled, head, is_fresh);
}

/* ---- the copy on disk ---- */

static void copy_load(struct pw_snapshot *s)
{
	PW_AUTO(pw_buf_wipe) /* rows may be private keys */
	struct pw_buf bytes = { .max = PW_SNAPSHOT_BYTES_MAX };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_image_head head;
	enum pw_status r;

	if (s->copy_path.len == 0)
		return;
	r = pw_file_read(&bytes, pw_buf_text(&s->copy_path), PW_SNAPSHOT_BYTES_MAX);
	if (r == PW_ERR_NOTFOUND)
		return;
	if (r == PW_OK)
		r = use_image(s, pw_buf_str(&bytes), false, &head, &why);
	if (r == PW_OK) {
		pw_db_tell(s->target, PW_DB_SNAPSHOT_COPY, "",
		           pw_clock_wall_ms() - head.read_ms);
		return;
	}
	if (why.len == 0)
		pw_buf_puts(&why, pw_str_from(pw_status_text(r)));
	pw_db_tell(s->target, PW_DB_COPY_IGNORED, pw_buf_text(&why), 0);
}

/* ---- loading ---- */

static enum pw_status exec(struct pw_snapshot *s, const char *sql, int64_t timeout_ms,
                           struct pw_db_result **out, struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	enum pw_status r = pw_db_conn_exec(
		&s->conn, sql, NULL, 0, pw_clock_mono_ms() + timeout_ms, &result, NULL);

	if (r == PW_OK && out)
		*out = PW_TAKE(result);
	if (r !=
	    PW_OK) /* a server that is away gives no message: then what it was asked */
		pw_buf_printf(why, "%s: %s", pw_status_text(r),
		              result ? pw_db_message(result) : sql);
	return r;
}

static enum pw_status probe(struct pw_snapshot *s, const char *sql,
                            struct pw_db_result **out, struct pw_buf *why)
{
	return exec(s, sql, PROBE_TIMEOUT_MS, out, why);
}

static enum pw_status read_generation(struct pw_snapshot *s, int64_t *out,
                                      struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	enum pw_status r = probe(s, "SELECT mail.generation()", &result, why);

	if (r == PW_OK)
		*out = pw_db_int(result, 0, 0, 0);
	return r;
}

static enum pw_status read_query(struct pw_snapshot *s,
                                 const struct pw_snapshot_query *query,
                                 struct pw_buf *bytes, struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	enum pw_status r = exec(s, query->sql, LOAD_TIMEOUT_MS, &result, why);

	if (r != PW_OK)
		return r;
	if (pw_db_columns(result) != query->columns) {
		pw_buf_printf(why, "wants %zu columns: %s", query->columns, query->sql);
		return PW_ERR_PROTOCOL;
	}
	pw_image_table(bytes, pw_db_rows(result), query->columns);
	for (size_t row = 0; row < pw_db_rows(result); row++)
		for (size_t column = 0; column < query->columns; column++)
			pw_image_cell(bytes, pw_db_value(result, row, column));
	return pw_buf_status(bytes);
}

/* All queries in one transaction, and so at one instant. */
static enum pw_status read_rows(struct pw_snapshot *s, struct pw_buf *bytes,
                                struct pw_buf *why)
{
	struct pw_image_head head = { .read_ms = pw_clock_wall_ms() };
	enum pw_status r;

	r = probe(s, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, why);
	if (r != PW_OK || (r = probe(s, LOAD_TIMEOUT_SQL, NULL, why)) != PW_OK ||
	    (r = read_generation(s, &head.generation, why)) != PW_OK)
		return r;
	memcpy(head.fingerprint, s->fingerprint, sizeof(head.fingerprint));
	pw_image_begin(bytes, &head);
	for (size_t i = 0; i < s->config.query_count; i++)
		if ((r = read_query(s, &s->config.queries[i], bytes, why)) != PW_OK)
			return r;
	if ((r = probe(s, "COMMIT", NULL, why)) != PW_OK)
		return r;
	return pw_image_end(bytes);
}

/* Read everything and put it in place; what fails leaves the old one. */
static enum pw_status load(struct pw_snapshot *s, int64_t generation, struct pw_buf *why)
{
	PW_AUTO(pw_buf_wipe) /* rows may be private keys */
	struct pw_buf bytes = { .max = PW_SNAPSHOT_BYTES_MAX };
	int64_t start = pw_clock_mono_ms();
	struct pw_image_head head;
	enum pw_status r;

	if ((r = read_rows(s, &bytes, why)) != PW_OK) {
		pw_db_conn_close(&s->conn); /* and the transaction with it */
		return r;
	}
	s->is_refused = false;
	if ((r = use_image(s, pw_buf_str(&bytes), true, &head, why)) != PW_OK) {
		s->is_refused = r != PW_ERR_NOMEM;
		s->refused_generation = generation;
		return r;
	}
	s->load_ms = pw_clock_mono_ms() - start;
	if (s->config.changed)
		s->config.changed(s->config.arg);
	/* who reads this line may count on it */
	pw_db_tell(s->target, PW_DB_SNAPSHOT_LOADED, "", head.generation);
	return PW_OK;
}

/* ---- the thread ---- */

static bool must_stop(struct pw_snapshot *s)
{
	return atomic_load(&s->is_stopping);
}

/* Listen first, look second: no change falls between. */
static void connect_and_listen(struct pw_snapshot *s)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r =
		pw_db_conn_open(&s->conn, s->backoff.failures, INT64_MAX, &why);

	if (r == PW_OK)
		r = probe(s, "LISTEN postward", NULL, &why);
	if (r == PW_OK) {
		(void)pw_db_backoff_done(&s->backoff);
		pw_db_tell(s->target, PW_DB_CONNECTED, "", 0);
		return;
	}
	pw_db_conn_close(&s->conn);
	if (pw_db_backoff_failed(&s->backoff, pw_clock_mono_ms()) && !must_stop(s))
		pw_db_tell(s->target, PW_DB_UNREACHABLE, pw_buf_text(&why), 0);
}

static void tell_failed(struct pw_snapshot *s, const char *why)
{
	int64_t now = pw_clock_mono_ms();

	s->has_failed = true;
	if (must_stop(s) || now < s->tell_failed_ms)
		return;
	s->tell_failed_ms = now + TELL_FAILED_MS;
	pw_db_tell(s->target, PW_DB_SNAPSHOT_FAILED, why, 0);
}

/* Is current what the database has? Load if not. */
static void look(struct pw_snapshot *s, bool is_poked)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	int64_t generation;
	enum pw_status r = read_generation(s, &generation, &why);

	s->has_failed = false;
	if (r == PW_OK && s->current && s->current->open.generation == generation) {
		set_fresh(s, true);
		return;
	}
	set_fresh(s, false);
	if (r == PW_OK && s->is_refused && s->refused_generation == generation &&
	    !is_poked)
		return; /* it has been said why */
	if (r == PW_OK)
		r = load(s, generation, &why);
	if (r != PW_OK)
		tell_failed(s, pw_buf_text(&why));
}

/* Let a burst of notifications pass. */
static void gather(struct pw_snapshot *s)
{
	int64_t wait = s->load_ms > GATHER_MS ? s->load_ms : GATHER_MS;
	int64_t until = pw_clock_mono_ms() + wait;

	while (s->conn.pg && !must_stop(s) && pw_clock_mono_ms() < until)
		(void)pw_db_conn_wait(&s->conn, -1, until);
	(void)pw_db_conn_was_notified(&s->conn);
}

/* Wait for something to do. Returns whether somebody poked. */
static bool idle(struct pw_snapshot *s)
{
	bool had = s->conn.pg != NULL;
	uint64_t n;
	int64_t wait_ms = s->has_failed && s->config.poll_ms > RETRY_MS
	                          ? RETRY_MS
	                          : s->config.poll_ms;
	int64_t until = had ? pw_clock_mono_ms() + wait_ms : s->backoff.next_ms;

	/* one that came during a load is in libpq's memory: no byte will follow */
	bool is_notified = pw_db_conn_was_notified(&s->conn);

	if (!is_notified && !pw_db_conn_wait(&s->conn, s->poke_fd, until) && had) {
		set_fresh(s, false);
		pw_db_tell(s->target, PW_DB_LOST, "connection closed by the server", 0);
	}
	if (is_notified || pw_db_conn_was_notified(&s->conn)) {
		set_fresh(s, false);
		gather(s);
	}
	return read(s->poke_fd, &n, sizeof(n)) == sizeof(n);
}

static void *run(void *arg)
{
	struct pw_snapshot *s = arg;
	bool is_poked = false;

	while (!must_stop(s)) {
		if (!s->conn.pg && (is_poked || pw_clock_mono_ms() >= s->backoff.next_ms))
			connect_and_listen(s);
		if (s->conn.pg)
			look(s, is_poked);
		if (!s->conn.pg)
			set_fresh(s, false);
		is_poked = idle(s);
	}
	pw_db_conn_close(&s->conn);
	return NULL;
}

/* ---- opening and closing ---- */

static void ring(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* full: it is set anyway */
}

void pw_snapshot_poke(struct pw_snapshot *s)
{
	ring(s->poke_fd);
}

static enum pw_status start_thread(struct pw_snapshot *s)
{
	enum pw_status r = pw_thread_start(&s->thread, run, s);

	s->has_thread = r == PW_OK;
	return r;
}

static void wait_first(struct pw_snapshot *s, int64_t wait_ms)
{
	int64_t until = pw_clock_mono_ms() + wait_ms;

	(void)pthread_mutex_lock(&s->lock);
	while (!s->current && pw_cond_wait(&s->changed, &s->lock, until))
		;
	(void)pthread_mutex_unlock(&s->lock);
}

static enum pw_status fill(struct pw_snapshot *s, const struct pw_snapshot_config *config,
                           struct pw_buf *why_out)
{
	enum pw_status r;

	s->config = *config;
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->poke_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->stop_fd < 0 || s->poke_fd < 0)
		return PW_ERR_IO;
	if ((r = pw_db_target_new(&s->target, &config->db, why_out)) != PW_OK)
		return r;
	s->conn = (struct pw_db_conn){ s->target, NULL, s->stop_fd };
	s->config.db = *pw_db_target_config(s->target);
	if (config->state_directory[0] != '\0')
		pw_buf_printf(&s->copy_path, "%s/snapshot.%s", config->state_directory,
		              config->db.program);
	s->config.state_directory = NULL; /* was borrowed */
	if ((r = pw_buf_status(&s->copy_path)) != PW_OK)
		return r;
	return pw_image_fingerprint(s->fingerprint, config);
}

enum pw_status pw_snapshot_open(struct pw_snapshot **out,
                                const struct pw_snapshot_config *config, int64_t wait_ms,
                                struct pw_buf *why_out)
{
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = calloc(1, sizeof(*s));
	enum pw_status r;

	if (!s)
		return PW_ERR_NOMEM;
	s->stop_fd = s->poke_fd = -1;
	(void)pthread_mutex_init(&s->lock, NULL);
	pw_cond_init(&s->changed);
	if ((r = fill(s, config, why_out)) != PW_OK)
		return r;
	copy_load(s);
	if ((r = start_thread(s)) != PW_OK)
		return r;
	wait_first(s, wait_ms);
	*out = PW_TAKE(s);
	return PW_OK;
}

void pw_snapshot_close(struct pw_snapshot **snapshot)
{
	struct pw_snapshot *s = *snapshot;

	if (!s)
		return;
	if (s->has_thread) {
		atomic_store(&s->is_stopping, true);
		ring(s->stop_fd);
		(void)pthread_join(s->thread, NULL);
	}
	view_drop(s->current);
	if (s->stop_fd >= 0)
		(void)close(s->stop_fd);
	if (s->poke_fd >= 0)
		(void)close(s->poke_fd);
	(void)pthread_cond_destroy(&s->changed);
	(void)pthread_mutex_destroy(&s->lock);
	pw_db_target_free(&s->target);
	pw_buf_done(&s->copy_path);
	free(s);
	*snapshot = NULL;
}
