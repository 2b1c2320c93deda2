/* The thread that asks the database for leases, tells it what came of them and says every
 * two seconds that this node is alive (mail.rate_lease, mail.rate_settle_free,
 * mail.node_seen). What gathers while one statement runs goes with the next. The
 * answering thread never waits for it: notes are handed over and taken back. */
#pragma once

#include "core/buf.h"
#include "db/config.h"
#include "policyd/lease_queue.h"

struct lease_db;

/* woken is called from the thread when there are notes to be taken, or the database came
 * or went. config is copied. Returns without waiting for the database.
 *
 * Errors  PW_ERR_CONFIG (why_out), PW_ERR_NOMEM, PW_ERR_IO
 * Owner   caller, lease_db_close */
PW_MUST_CHECK enum pw_status lease_db_open(struct lease_db **out,
                                           const struct pw_db_config *config,
                                           void (*woken)(void *arg), void *arg,
                                           struct pw_buf *why_out);
/* Tell what is to be told, for at most drain_ms, say that this node ends, and end. */
void lease_db_drain(struct lease_db *db, int64_t drain_ms);
/* As lease_db_drain with nothing, and free. */
void lease_db_close(struct lease_db **db);

/* Hand a question or delta over; it goes with the next lease_db_send.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status lease_db_put(struct lease_db *db, enum lease_note_kind kind,
                                          const struct lease_item *item, int64_t now_us);
void lease_db_send(struct lease_db *db);
/* What came back, in its order; NULL = nothing.
 *
 * Owner  caller, lease_notes_free */
struct lease_note *lease_db_take(struct lease_db *db);

struct lease_db_state {
	int64_t nodes;
	size_t unanswered;     /* questions on their way */
	int64_t busy_since_ms; /* a statement runs since; 0 = none */
	bool is_up;            /* connected */
	bool has_tried;        /* to connect, since the start */
};
struct lease_db_state lease_db_state(struct lease_db *db);
