/* All a program must know about domains, users, keys and rules, as one immutable value in
 * memory: loaded in one REPEATABLE READ transaction, compiled into the program's own
 * struct, swapped whole, and kept on disk so that the program starts while the database
 * is away.
 *
 * A thread of its own does all of it: LISTEN postward, and mail.generation() every
 * poll_ms in case a notification got lost. */
#pragma once

#include "core/buf.h"
#include "db/config.h"

#define PW_SNAPSHOT_QUERIES_MAX 32
/* Most bytes of rows a snapshot may have. */
#define PW_SNAPSHOT_BYTES_MAX ((size_t)1024 * 1024 * 1024)

struct pw_snapshot;

/* One query of the program's table; the place in the table is its number below. */
struct pw_snapshot_query {
	const char *sql; /* "SELECT address, kind FROM mail.snapshot_addresses" */
	size_t columns;  /* that it must have */
};

/* The rows of one load, as compile sees them; borrowed for the call of compile. */
struct pw_snapshot_data;
size_t pw_snapshot_rows(const struct pw_snapshot_data *data, size_t query);
/* NULL is the slice with at == NULL; out of bounds reads as NULL. */
struct pw_str pw_snapshot_value(const struct pw_snapshot_data *data, size_t query,
                                size_t row, size_t column);
int64_t pw_snapshot_int(const struct pw_snapshot_data *data, size_t query, size_t row,
                        size_t column, int64_t fallback);
bool pw_snapshot_bool(const struct pw_snapshot_data *data, size_t query, size_t row,
                      size_t column);

struct pw_snapshot_config {
	struct pw_db_config db;
	const char *state_directory; /* "" = no copy on disk */
	int64_t poll_ms;
	const struct pw_snapshot_query *queries; /* static */
	size_t query_count;
	unsigned int
		format; /* of what compile expects: raise it to make old copies void */
	/* Rows to the program's own struct. Runs in the snapshot's thread (at open: in
	 * the caller's). On failure why_out goes into the event. */
	enum pw_status (*compile)(void *arg, const struct pw_snapshot_data *data,
	                          void **compiled_out, struct pw_buf *why_out);
	void (*release)(void *arg, void *compiled);
	/* A new one is in use; may be NULL. Runs in the snapshot's thread. */
	void (*changed)(void *arg);
	void *arg;
};

/* Load the copy on disk (if it is whole and of this format), then start the thread and
 * wait for the database until there is a snapshot or wait_ms has passed. config and its
 * texts are copied, queries borrowed. Signals are blocked in the thread.
 *
 * Errors  PW_ERR_CONFIG (conninfo; why_out), PW_ERR_NOMEM, PW_ERR_IO (no thread). That
 * there is no snapshot yet is no error: pw_snapshot_get returns NULL until there is Owner
 * caller, pw_snapshot_close */
PW_MUST_CHECK enum pw_status pw_snapshot_open(struct pw_snapshot **out,
                                              const struct pw_snapshot_config *config,
                                              int64_t wait_ms, struct pw_buf *why_out);
/* Stops the thread (at most about a second). Views still held stay good until put back.
 */
void pw_snapshot_close(struct pw_snapshot **snapshot);

/* One generation, shared by everybody who holds it. */
struct pw_snapshot_view {
	const void *compiled; /* what compile made */
	int64_t generation;   /* of the database */
	int64_t read_ms;      /* wall clock when its rows were read */
};
/* The current one, or NULL if there has never been one. Thread-safe, cheap: hold it for a
 * message, not longer. */
const struct pw_snapshot_view *pw_snapshot_get(struct pw_snapshot *snapshot);
/* Give it back; for PW_AUTO. */
void pw_snapshot_put(const struct pw_snapshot_view **view);

/* Is the current one what the database holds, as far as one can know: a connection that
 * listens is up, and no change is waiting? If not, "unknown" is no definite answer. */
bool pw_snapshot_is_fresh(struct pw_snapshot *snapshot);
/* Milliseconds since the database last confirmed the current one; -1 = never. */
int64_t pw_snapshot_age_ms(struct pw_snapshot *snapshot);
/* Look for changes now (SIGHUP). */
void pw_snapshot_poke(struct pw_snapshot *snapshot);
