/* Rows on their way into the database, written behind the back of the mail path: a
 * bounded queue per stream and a thread that hands batches, as one JSON array, to one SQL
 * function. What a crash loses is what is queued: seconds. Adding never blocks. */
#pragma once

#include "core/buf.h"
#include "db/config.h"

#define PW_WRITER_STREAMS_MAX 16
/* Most bytes of one row. */
#define PW_WRITER_ROW_MAX ((size_t)1024 * 1024)

struct pw_writer;

/* Where rows of one kind go; the place in the program's table is its number. */
struct pw_writer_stream {
	const char *sql;    /* "SELECT mail.record_events($1::jsonb)" */
	size_t rows_max;    /* queue; when full the oldest goes (1..1000000) */
	size_t batch_max;   /* rows in one statement (1..10000) */
	bool is_repeatable; /* the same batch twice does no harm: sent again when the
	                       connection broke under it; else such a batch counts as
	                       dropped */
};

struct pw_writer_config {
	struct pw_db_config db;
	const struct pw_writer_stream *streams; /* static */
	size_t stream_count;
	int64_t flush_ms; /* longest wait for more rows before a batch goes */
};

/* Start the thread; it connects when there is something to write. config is copied,
 * streams are borrowed.
 *
 * Errors  PW_ERR_CONFIG (conninfo; why_out), PW_ERR_NOMEM, PW_ERR_IO (no thread)
 * Owner   caller, pw_writer_close */
PW_MUST_CHECK enum pw_status pw_writer_open(struct pw_writer **out,
                                            const struct pw_writer_config *config,
                                            struct pw_buf *why_out);
/* Write what is queued, for at most drain_ms, then stop the thread. */
void pw_writer_drain(struct pw_writer *writer, int64_t drain_ms);
/* As pw_writer_drain with 2 s, and free; for PW_AUTO. */
void pw_writer_close(struct pw_writer **writer);

/* Queue one row. A server that is away lets it wait; one that refuses a batch gets its
 * rows one by one, and those it refuses are dropped and told (PW_DB_WRITER_REFUSED).
 *
 * object  one JSON object, UTF-8; copied
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_LIMIT (row too long): the row is lost and counted as
 * dropped */
PW_MUST_CHECK enum pw_status pw_writer_add(struct pw_writer *writer, size_t stream,
                                           struct pw_str object);

struct pw_writer_numbers {
	int64_t queued, written,
		dropped; /* rows: waiting now; since start; since start */
};
struct pw_writer_numbers pw_writer_numbers(struct pw_writer *writer, size_t stream);
