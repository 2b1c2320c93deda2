#include "policyd/share.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "db/pool.h"
#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"
#include "policyd/again.h"

#define EXCHANGE_MS 1000
#define ATTEMPT_MS 2000
/* The database knows lifted blocks for an hour: who was away for long asks for all. */
#define AWAY_MS ((int64_t)10 * 60 * 1000)
#define HOMES_MS ((int64_t)15 * 1000)
/* Homes are asked for from so long before the last time: logins are written late, and by
 * the clock of their node. */
#define HOMES_OVERLAP_S 120
#define HOMES_ALL_S ((int64_t)30 * 86400)

struct share {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct pw_db *db;
	char node[256], instance[17];
	/* of the thread alone */
	struct pw_buf since;
	int64_t exchanged_ms, homes_ms; /* 0 = never */
	struct again again_homes;
	/* under the lock */
	struct pw_buf put;      /* empty = news are wanted */
	int64_t put_ms;         /* since then */
	struct share_rows rows; /* news NULL = taken */
	bool is_stopping;
};

/* ---- the thread */

/* Wait for the next turn; false: end. */
static bool wait_turn(struct share *share)
{
	int64_t until_ms = pw_clock_mono_ms() + EXCHANGE_MS;
	bool is_stopping;

	pthread_mutex_lock(&share->lock);
	if (!share->is_stopping)
		(void)pw_cond_wait(&share->wake, &share->lock, until_ms);
	is_stopping = share->is_stopping;
	pthread_mutex_unlock(&share->lock);
	return !is_stopping;
}

static bool is_taken(struct share *share)
{
	bool is_taken;

	pthread_mutex_lock(&share->lock);
	is_taken = share->rows.news == NULL;
	pthread_mutex_unlock(&share->lock);
	return is_taken;
}

static void note_since(struct share *share, const struct pw_db_result *rows)
{
	size_t last = pw_db_rows(rows);

	pw_buf_reset(&share->since);
	if (last > 0)
		pw_buf_puts(&share->since, pw_db_value(rows, last - 1, 2));
	share->exchanged_ms = pw_clock_mono_ms();
}

/* What was put, and how long ago; it stays. */
static void copy_put(struct share *share, struct pw_buf *news, struct pw_buf *age_ms)
{
	pthread_mutex_lock(&share->lock);
	pw_buf_puts(news, pw_buf_str(&share->put));
	pw_buf_put_int(age_ms, pw_clock_mono_ms() - share->put_ms);
	pthread_mutex_unlock(&share->lock);
}

/* It has gone, or the database refuses it, which it would do for ever. */
static void drop_put(struct share *share, enum pw_status why)
{
	if (why == PW_ERR_PROTOCOL)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "auth_news_lost"), PW_KV_END);
	pthread_mutex_lock(&share->lock);
	pw_buf_reset(&share->put);
	pthread_mutex_unlock(&share->lock);
}

static enum pw_status ask(struct share *share, struct pw_str news, struct pw_str age_ms,
                          struct pw_db_result **rows)
{
	const struct pw_str params[] = { pw_str_from(share->node),
		                         pw_str_from(share->instance),
		                         pw_str_from(pw_buf_text(&share->since)),
		                         news.len > 0 ? news : PW_STR("[]"), age_ms };

	return pw_db_exec(share->db,
	                  "SELECT what, kind, who, number, dry_run FROM"
	                  " mail.auth_exchange($1, $2, $3, $4::jsonb, $5::bigint)",
	                  params, PW_LEN(params), pw_clock_mono_ms() + ATTEMPT_MS, rows);
}

static struct pw_db_result *exchange(struct share *share)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf news = { 0 }, age_ms = { 0 };
	enum pw_status r;

	if (pw_clock_mono_ms() > share->exchanged_ms + AWAY_MS)
		pw_buf_reset(&share->since);
	copy_put(share, &news, &age_ms);
	r = ask(share, pw_buf_str(&news), pw_buf_str(&age_ms), &rows);
	if (news.len > 0 && (r == PW_OK || r == PW_ERR_PROTOCOL))
		drop_put(share, r); /* while there is something nothing else is put */
	if (r != PW_OK)
		return NULL;
	note_since(share, rows);
	return PW_TAKE(rows);
}

static struct pw_db_result *fetch_homes(struct share *share)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf since_s = { 0 };
	int64_t now_ms = pw_clock_mono_ms();
	struct pw_str param;
	enum pw_status r;

	if (!again_is_due(&share->again_homes, now_ms))
		return NULL;
	pw_buf_put_int(&since_s,
	               share->homes_ms == 0
	                       ? HOMES_ALL_S
	                       : (now_ms - share->homes_ms) / 1000 + HOMES_OVERLAP_S);
	param = pw_buf_str(&since_s);
	r = pw_db_exec(share->db,
	               "SELECT login, address, age_ms FROM mail.auth_homes($1::bigint)"
	               " ORDER BY age_ms LIMIT 100000", /* the latest */
	               &param, 1, now_ms + ATTEMPT_MS, &rows);
	again_asked(&share->again_homes, r, HOMES_MS, now_ms);
	if (r != PW_OK)
		return NULL;
	share->homes_ms = now_ms;
	return PW_TAKE(rows);
}

static void take_turn(struct share *share)
{
	struct share_rows rows = { .news = exchange(share) };

	if (rows.news == NULL)
		return;
	rows.homes = fetch_homes(share);
	pthread_mutex_lock(&share->lock);
	share->rows = rows;
	pthread_mutex_unlock(&share->lock);
}

static void *share_main(void *arg)
{
	struct share *share = arg;

	do {
		if (is_taken(share))
			take_turn(share);
	} while (wait_turn(share));
	return NULL;
}

/* ---- the answering thread */

bool share_take(struct share *share, struct share_rows *out)
{
	pthread_mutex_lock(&share->lock);
	*out = share->rows;
	share->rows = (struct share_rows){ NULL, NULL };
	pthread_mutex_unlock(&share->lock);
	return out->news != NULL;
}

void share_rows_done(struct share_rows *rows)
{
	pw_db_result_free(&rows->news);
	pw_db_result_free(&rows->homes);
}

bool share_wants(struct share *share)
{
	bool is_empty;

	pthread_mutex_lock(&share->lock);
	is_empty = share->put.len == 0;
	pthread_mutex_unlock(&share->lock);
	return is_empty;
}

void share_put(struct share *share, struct pw_buf *news)
{
	pthread_mutex_lock(&share->lock);
	pw_buf_done(&share->put);
	share->put = *news;
	share->put_ms = pw_clock_mono_ms();
	*news = (struct pw_buf){ 0 };
	pthread_cond_signal(&share->wake);
	pthread_mutex_unlock(&share->lock);
}

/* ---- life */

static void free_unstarted(struct share **share)
{
	struct share *s = *share;

	if (s == NULL)
		return;
	pw_db_close(&s->db);
	share_rows_done(&s->rows);
	pw_buf_done(&s->put);
	pw_buf_done(&s->since);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
	*share = NULL;
}

/* A run of the program on a host, told from every other one. */
static enum pw_status name_instance(struct share *share)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return PW_ERR_IO;
	snprintf(share->instance, sizeof(share->instance), "%016llx",
	         (unsigned long long)random);
	if (gethostname(share->node, sizeof(share->node) - 1) != 0)
		share->node[0] = '\0';
	return PW_OK;
}

enum pw_status share_start(struct share **out, const struct pw_db_config *config,
                           struct pw_buf *why_out)
{
	PW_AUTO(free_unstarted) struct share *share = calloc(1, sizeof(*share));
	enum pw_status r;

	if (share == NULL)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&share->lock, NULL);
	pw_cond_init(&share->wake);
	if ((r = name_instance(share)) != PW_OK ||
	    (r = pw_db_open(&share->db, config, 1, why_out)) != PW_OK)
		return r;
	if ((r = pw_thread_start(&share->thread, share_main, share)) != PW_OK)
		return r;
	*out = PW_TAKE(share);
	return PW_OK;
}

static void hand_over(struct share *share)
{
	struct pw_db_result *rows = NULL;

	if (share->put.len > 0)
		rows = exchange(share);
	pw_db_result_free(&rows);
}

void share_stop(struct share **share, struct pw_buf *last)
{
	if (*share == NULL)
		return;
	pthread_mutex_lock(&(*share)->lock);
	(*share)->is_stopping = true;
	pthread_cond_signal(&(*share)->wake);
	pthread_mutex_unlock(&(*share)->lock);
	pthread_join((*share)->thread, NULL);
	hand_over(*share);
	share_put(*share, last);
	hand_over(*share);
	free_unstarted(share);
}
