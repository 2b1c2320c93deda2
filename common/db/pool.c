#include "db/pool.h"

#include <stdlib.h>

#include "db/conn.h"
#include "io/clock.h"
#include "io/thread.h"

struct slot {
	struct pw_db_conn conn;
	bool is_busy;
};

struct pw_db {
	struct pw_db_target *target;
	pthread_mutex_t
		lock; /* over all below; never held while waiting for the server */
	pthread_cond_t freed;
	struct pw_db_backoff backoff;
	bool is_up; /* the program has been told so */
	size_t count;
	struct slot slots[];
};

enum pw_status pw_db_open(struct pw_db **out, const struct pw_db_config *config,
                          unsigned int connections_max, struct pw_buf *why_out)
{
	struct pw_db *db =
		calloc(1, sizeof(*db) + connections_max * sizeof(db->slots[0]));
	enum pw_status r;

	if (!db)
		return PW_ERR_NOMEM;
	if ((r = pw_db_target_new(&db->target, config, why_out)) != PW_OK) {
		free(db);
		return r;
	}
	(void)pthread_mutex_init(&db->lock, NULL);
	pw_cond_init(&db->freed);
	db->count = connections_max;
	for (size_t i = 0; i < db->count; i++)
		db->slots[i].conn = (struct pw_db_conn){ db->target, NULL, -1 };
	*out = db;
	return PW_OK;
}

void pw_db_close(struct pw_db **db)
{
	struct pw_db *d = *db;

	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++)
		pw_db_conn_close(&d->slots[i].conn);
	(void)pthread_cond_destroy(&d->freed);
	(void)pthread_mutex_destroy(&d->lock);
	pw_db_target_free(&d->target);
	free(d);
	*db = NULL;
}

/* ---- a connection for one call ---- */

/* A free slot, an open one first; NULL if all are busy. Under the lock. */
static struct slot *pick(struct pw_db *db)
{
	struct slot *closed = NULL;

	for (size_t i = 0; i < db->count; i++) {
		struct slot *slot = &db->slots[i];

		if (slot->is_busy)
			continue;
		if (slot->conn.pg)
			return slot;
		if (!closed)
			closed = slot;
	}
	return closed;
}

/* Errors  PW_ERR_TIMEOUT */
static enum pw_status take(struct pw_db *db, int64_t deadline_ms, struct slot **out)
{
	struct slot *slot;
	bool in_time = true;

	(void)pthread_mutex_lock(&db->lock);
	while (!(slot = pick(db)) && in_time)
		in_time = pw_cond_wait(&db->freed, &db->lock, deadline_ms);
	if (slot)
		slot->is_busy = true;
	(void)pthread_mutex_unlock(&db->lock);
	*out = slot;
	return slot ? PW_OK : PW_ERR_TIMEOUT;
}

static void give_back(struct pw_db *db, struct slot *slot)
{
	(void)pthread_mutex_lock(&db->lock);
	slot->is_busy = false;
	(void)pthread_cond_signal(&db->freed);
	(void)pthread_mutex_unlock(&db->lock);
}

/* What an attempt to connect came to; tells the program once. */
static void note_attempt(struct pw_db *db, enum pw_status r, const char *why)
{
	bool tell;

	(void)pthread_mutex_lock(&db->lock);
	if (r == PW_OK) {
		(void)pw_db_backoff_done(&db->backoff);
		tell = !db->is_up;
		db->is_up = true;
	} else {
		tell = pw_db_backoff_failed(&db->backoff, pw_clock_mono_ms());
		db->is_up = false;
	}
	(void)pthread_mutex_unlock(&db->lock);
	if (tell)
		pw_db_tell(db->target, r == PW_OK ? PW_DB_CONNECTED : PW_DB_UNREACHABLE,
		           why, 0);
}

static void note_lost(struct pw_db *db, enum pw_status r)
{
	bool tell;

	(void)pthread_mutex_lock(&db->lock);
	tell = db->is_up;
	db->is_up = false;
	(void)pthread_mutex_unlock(&db->lock);
	if (tell)
		pw_db_tell(db->target, PW_DB_LOST, pw_status_text(r), 0);
}

/* Make the slot's connection a living one. */
static enum pw_status ensure_open(struct pw_db *db, struct slot *slot,
                                  int64_t deadline_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	unsigned int failures;
	bool may_try;
	enum pw_status r;

	if (pw_db_conn_is_alive(&slot->conn))
		return PW_OK;
	if (slot->conn.pg)
		note_lost(db, PW_ERR_AWAY);
	pw_db_conn_close(&slot->conn);
	(void)pthread_mutex_lock(&db->lock);
	may_try = pw_clock_mono_ms() >= db->backoff.next_ms;
	failures = db->backoff.failures;
	(void)pthread_mutex_unlock(&db->lock);
	if (!may_try)
		return PW_ERR_AWAY;
	r = pw_db_conn_open(&slot->conn, failures, deadline_ms, &why);
	if (r != PW_ERR_NOMEM)
		note_attempt(db, r, pw_buf_text(&why));
	return r;
}

enum pw_status pw_db_exec(struct pw_db *db, const char *sql, const struct pw_str *params,
                          size_t count, int64_t deadline_ms, struct pw_db_result **out)
{
	struct slot *slot;
	enum pw_status r;

	if ((r = take(db, deadline_ms, &slot)) != PW_OK)
		return r;
	if ((r = ensure_open(db, slot, deadline_ms)) == PW_OK) {
		r = pw_db_conn_exec(&slot->conn, sql, params, count, deadline_ms, out,
		                    NULL);
		if (!slot->conn.pg)
			note_lost(db, r);
	}
	give_back(db, slot);
	return r;
}
