#include "policyd/lease_db.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/json.h"
#include "db/session.h"
#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"

#define PROGRAM "postward-policyd"
#define BEAT_MS 2000
#define NODES_MS 10000 /* a node is gone when it was silent for so long */
/* A statement that takes longer is a server that hangs: the next one may be elsewhere. */
#define STATEMENT_MS 2000
#define CONNECT_MS 2000
#define PAUSE_MS 400
#define TELL_EVERY_MS 60000
#define BATCH_MAX 500

struct lease_db {
	struct pw_db_config config;
	char *conninfo, *program;
	void (*woken)(void *arg);
	void *arg;
	pthread_t thread;
	bool has_thread;
	int wake_fd, stop_fd;       /* stop_fd: interrupts whatever it is at */
	struct lease_notes leaving; /* of the answering thread: until lease_db_send */
	/* Of the thread alone. */
	struct pw_db_session *session;
	struct pw_buf name; /* of this node */
	struct lease_queue queue;
	struct lease_notes
		batch; /* deltas sent and not confirmed: sent again as they are */
	int64_t batch_number;
	int64_t beat_ms, try_ms, told_ms;
	int64_t up_ms; /* connected since */
	unsigned int failures;
	/* Shared. */
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct lease_notes out, in;
	struct lease_db_state state;
	bool is_draining, is_done;
	int64_t drain_deadline_ms;
};

/* ---- notes */

static struct lease_note *note_new(enum lease_note_kind kind, int64_t rule_id,
                                   struct pw_str who)
{
	struct lease_note *note = malloc(sizeof(*note) + who.len);

	if (note == NULL)
		return NULL;
	*note = (struct lease_note){ .kind = kind,
		                     .rule_id = rule_id,
		                     .who_len = who.len };
	if (who.len > 0)
		memcpy(note->who, who.at, who.len);
	return note;
}

static void wake(const struct lease_db *db)
{
	uint64_t one = 1;

	if (write(db->wake_fd, &one, sizeof(one)) < 0)
		return; /* full is as good as written */
}

enum pw_status lease_db_put(struct lease_db *db, enum lease_note_kind kind,
                            const struct lease_item *item, int64_t now_us)
{
	struct lease_note *note = note_new(kind, item->rule_id, item->who);

	if (note == NULL)
		return PW_ERR_NOMEM;
	note->made_us = now_us;
	if (kind == LEASE_QUESTION)
		note->question = item->question;
	else
		note->delta = item->delta;
	lease_notes_put(&db->leaving, note);
	return PW_OK;
}

void lease_db_send(struct lease_db *db)
{
	if (db->leaving.first == NULL)
		return;
	pthread_mutex_lock(&db->lock);
	for (const struct lease_note *note = db->leaving.first; note != NULL;
	     note = note->next)
		db->state.unanswered += note->kind == LEASE_QUESTION;
	lease_notes_move(&db->out, &db->leaving);
	pthread_mutex_unlock(&db->lock);
	wake(db);
}

struct lease_note *lease_db_take(struct lease_db *db)
{
	struct lease_note *first;

	pthread_mutex_lock(&db->lock);
	first = db->in.first;
	for (const struct lease_note *note = first; note != NULL; note = note->next)
		db->state.unanswered -= note->kind != LEASE_DRY;
	lease_notes_init(&db->in);
	pthread_mutex_unlock(&db->lock);
	return first;
}

struct lease_db_state lease_db_state(struct lease_db *db)
{
	struct lease_db_state state;

	pthread_mutex_lock(&db->lock);
	state = db->state;
	pthread_mutex_unlock(&db->lock);
	return state;
}

/* ---- in the thread: answers and state */

static void hand_back(struct lease_db *db, struct lease_notes *notes)
{
	if (notes->first == NULL)
		return;
	pthread_mutex_lock(&db->lock);
	lease_notes_move(&db->in, notes);
	pthread_mutex_unlock(&db->lock);
	db->woken(db->arg);
}

static void give_up_questions(struct lease_db *db)
{
	for (struct lease_note *note = db->queue.questions.first; note != NULL;
	     note = note->next)
		note->kind = LEASE_UNHEARD;
	hand_back(db, &db->queue.questions);
}

static void set_up(struct lease_db *db, bool is_up)
{
	bool is_news;

	pthread_mutex_lock(&db->lock);
	is_news = db->state.is_up != is_up || !db->state.has_tried;
	db->state.is_up = is_up;
	db->state.has_tried = true;
	db->state.busy_since_ms = 0;
	pthread_mutex_unlock(&db->lock);
	if (is_news)
		db->woken(db->arg);
}

static void set_busy(struct lease_db *db, int64_t since_ms)
{
	pthread_mutex_lock(&db->lock);
	db->state.busy_since_ms = since_ms;
	pthread_mutex_unlock(&db->lock);
}

static void set_nodes(struct lease_db *db, int64_t nodes)
{
	pthread_mutex_lock(&db->lock);
	/* just after an outage the others have not shown up yet */
	if (nodes >= db->state.nodes || pw_clock_mono_ms() - db->up_ms > NODES_MS)
		db->state.nodes = nodes > 1 ? nodes : 1;
	pthread_mutex_unlock(&db->lock);
}

/* ---- in the thread: the connection */

static void log_trouble(struct lease_db *db, const char *event, struct pw_str why)
{
	int64_t now_ms = pw_clock_mono_ms();

	if (db->told_ms != 0 && now_ms - db->told_ms < TELL_EVERY_MS)
		return;
	db->told_ms = now_ms;
	pw_log(PW_LOG_WARNING, "", PW_KV("event", event), PW_KV("why", why), PW_KV_END);
}

static void disconnect(struct lease_db *db, struct pw_str why)
{
	pw_db_session_close(&db->session);
	db->failures++;
	db->try_ms = pw_clock_mono_ms() + (db->failures > 1 ? PAUSE_MS : 0);
	set_up(db, false);
	log_trouble(db, "leases_away", why);
	give_up_questions(db);
}

/* One statement. Whatever goes wrong ends the connection: another server may do better.
 */
static enum pw_status run(struct lease_db *db, const char *sql,
                          const struct pw_str *params, size_t count,
                          struct pw_db_result **out)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	int64_t now_ms = pw_clock_mono_ms();
	enum pw_status r;

	set_busy(db, now_ms);
	r = pw_db_session_exec(db->session, sql, params, count, now_ms + STATEMENT_MS,
	                       &result);
	set_busy(db, 0);
	if (r != PW_OK)
		disconnect(db, result != NULL ? pw_str_from(pw_db_message(result))
		                              : pw_str_from(pw_status_text(r)));
	else if (out != NULL)
		*out = PW_TAKE(result);
	return r;
}

static enum pw_status beat(struct lease_db *db)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	const struct pw_str params[] = { pw_buf_str(&db->name), PW_STR(PROGRAM) };
	enum pw_status r;

	db->beat_ms = pw_clock_mono_ms() + BEAT_MS;
	if ((r = run(db, "SELECT mail.node_seen($1, $2)", params, 2, &rows)) != PW_OK)
		return r;
	set_nodes(db, pw_db_int(rows, 0, 0, 1));
	return PW_OK;
}

/* Listening comes first: what is told after that is heard. */
static void connect(struct lease_db *db)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	int64_t now_ms = pw_clock_mono_ms();
	enum pw_status r =
		pw_db_session_open_within(&db->session, &db->config, db->failures,
	                                  db->stop_fd, now_ms + CONNECT_MS, &why);

	if (r != PW_OK) {
		disconnect(db, pw_buf_str(&why));
		return;
	}
	db->up_ms = pw_clock_mono_ms();
	if (run(db, "LISTEN postward_rate", NULL, 0, NULL) != PW_OK || beat(db) != PW_OK)
		return;
	if (db->failures > 0)
		pw_log(PW_LOG_INFO, "", PW_KV("event", "leases_back"), PW_KV_END);
	db->failures = 0;
	db->told_ms = 0;
	set_up(db, true);
}

/* ---- in the thread: statements */

static void put_number(struct pw_buf *out, const char *before, int64_t value)
{
	pw_buf_puts(out, pw_str_from(before));
	pw_buf_put_int(out, value);
}

static void put_key(struct pw_buf *out, const struct lease_note *note)
{
	put_number(out, "{\"id\":", note->rule_id);
	pw_buf_puts(out, PW_STR(",\"who\":"));
	pw_json_put_string(out, (struct pw_str){ note->who, note->who_len });
}

static void put_question(struct pw_buf *out, const struct lease_note *note)
{
	put_key(out, note);
	put_number(out, ",\"cost\":", note->question.cost);
	put_number(out, ",\"need\":", note->question.need);
	put_number(out, ",\"have\":", note->question.have);
	put_number(out, ",\"until\":", note->question.until_db);
	pw_buf_putc(out, '}');
}

static void put_delta(struct pw_buf *out, const struct lease_note *note, int64_t now_us)
{
	const struct lease_delta *delta = &note->delta;
	int64_t age_us = now_us - note->made_us;

	put_key(out, note);
	if (delta->back > 0) {
		put_number(out, ",\"back\":", delta->back);
		put_number(out, ",\"until\":", delta->until_db);
	} else {
		put_number(out, ",\"used\":", delta->used);
		put_number(out, ",\"lasts_us\":", delta->lasts_us - age_us);
		put_number(out, ",\"age_us\":", delta->age_us + age_us);
	}
	pw_buf_putc(out, '}');
}

static void fill_batch(struct lease_db *db)
{
	if (db->batch.first != NULL)
		return;
	lease_queue_deltas(&db->queue, &db->batch, BATCH_MAX, pw_clock_mono_ms());
	db->batch_number += db->batch.first != NULL;
}

static void put_batch(struct lease_db *db, struct pw_buf *out)
{
	pw_buf_puts(out, PW_STR("{\"node\":"));
	pw_json_put_string(out, pw_buf_str(&db->name));
	pw_buf_puts(out, PW_STR(",\"program\":\"" PROGRAM "\""));
	put_number(out, ",\"batch\":", db->batch_number);
	pw_buf_puts(out, PW_STR(",\"deltas\":["));
	for (const struct lease_note *note = db->batch.first; note != NULL;
	     note = note->next) {
		if (note != db->batch.first)
			pw_buf_putc(out, ',');
		put_delta(out, note, pw_clock_mono_ms() * 1000);
	}
	pw_buf_puts(out, PW_STR("]}"));
}

/* Those it names were left out. */
static void close_batch(struct lease_db *db, const struct pw_db_result *rows)
{
	bool is_locked[BATCH_MAX] = { false };
	struct lease_note *note = db->batch.first, *next;

	for (size_t row = 0; row < pw_db_rows(rows); row++) {
		int64_t n = pw_db_int(rows, row, 0, 0);

		if (n >= 1 && n <= BATCH_MAX)
			is_locked[n - 1] = true;
	}
	for (size_t n = 0; note != NULL; n++, note = next) {
		next = note->next;
		lease_queue_told(&db->queue, note, is_locked[n], pw_clock_mono_ms());
	}
	lease_notes_init(&db->batch);
}

/* Tell a batch once and for all: one that was not confirmed goes again under its number,
 * and the database takes a number once. Returns whether there was one. */
static bool settle(struct lease_db *db)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	struct pw_str param;

	fill_batch(db);
	if (db->batch.first == NULL)
		return false;
	put_batch(db, &text);
	param = pw_buf_str(&text);
	if (pw_buf_status(&text) != PW_OK ||
	    run(db, "SELECT n FROM mail.rate_settle_free($1::jsonb) AS n", &param, 1,
	        &rows) != PW_OK)
		return false;
	close_batch(db, rows);
	return true;
}

static void set_grant(struct lease_note *note, const struct pw_db_result *rows,
                      size_t row)
{
	note->kind = LEASE_GRANT;
	note->grant = (struct lease_grant){
		.held = pw_db_int(rows, row, 1, 0),
		.until_db = pw_db_int(rows, row, 2, 0),
		.lasts_us = pw_db_int(rows, row, 3, -1),
		.behind_us = pw_db_int(rows, row, 4, 0),
		.next_us = pw_db_int(rows, row, 5, 0),
		.told_us = pw_db_int(rows, row, 7, 0),
		.over = pw_db_int(rows, row, 8, 0),
	};
}

static enum pw_status lease(struct lease_db *db, const struct lease_notes *asked,
                            struct pw_db_result **rows)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str param;
	enum pw_status r;

	for (const struct lease_note *note = asked->first; note != NULL;
	     note = note->next) {
		pw_buf_putc(&text, note == asked->first ? '[' : ',');
		put_question(&text, note);
	}
	pw_buf_putc(&text, ']');
	param = pw_buf_str(&text);
	if ((r = pw_buf_status(&text)) != PW_OK)
		return r;
	return run(db,
	           "SELECT n, held, until_at, lasts_us, behind_us, next_us, nodes, "
	           "told_us, over FROM mail.rate_lease($1::jsonb)",
	           &param, 1, rows);
}

/* Ask one batch. Returns whether there was one. */
static bool ask(struct lease_db *db)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	struct lease_note *by_number[BATCH_MAX];
	struct lease_notes asked;
	size_t count = 0;
	enum pw_status r;

	lease_notes_init(&asked);
	lease_queue_questions(&db->queue, &asked, BATCH_MAX);
	if (asked.first == NULL)
		return false;
	r = lease(db, &asked, &rows);
	for (struct lease_note *note = asked.first; note != NULL; note = note->next) {
		note->kind = r == PW_OK ? LEASE_LATER : LEASE_UNHEARD;
		by_number[count++] = note;
	}
	for (size_t row = 0; row < pw_db_rows(rows); row++) {
		int64_t n = pw_db_int(rows, row, 0, 0);

		if (n >= 1 && n <= (int64_t)count)
			set_grant(by_number[n - 1], rows, row);
	}
	if (pw_db_rows(rows) > 0)
		set_nodes(db, pw_db_int(rows, 0, 6, 1));
	hand_back(db, &asked);
	return r == PW_OK;
}

/* "ID WHO" */
static void hear_notices(struct lease_db *db)
{
	struct lease_notes dry;

	lease_notes_init(&dry);
	for (;;) {
		PW_AUTO(pw_buf_done) struct pw_buf payload = { 0 };
		struct pw_str who;
		struct lease_note *note;
		int64_t id;

		if (!pw_db_session_notice(db->session, &payload))
			break;
		who = pw_buf_str(&payload);
		if (pw_str_to_int64(pw_str_cut(&who, ' '), 1, INT64_MAX, &id) == PW_OK &&
		    (note = note_new(LEASE_DRY, id, who)) != NULL)
			lease_notes_put(&dry, note);
	}
	hand_back(db, &dry);
}

/* ---- in the thread: its life */

static bool is_over(struct lease_db *db)
{
	bool is_draining, is_late, has_more;

	pthread_mutex_lock(&db->lock);
	is_draining = db->is_draining;
	has_more = db->out.first != NULL;
	is_late = pw_clock_mono_ms() >= db->drain_deadline_ms;
	pthread_mutex_unlock(&db->lock);
	return is_draining &&
	       (is_late || (db->session == NULL && db->failures > 1) ||
	        (db->queue.deltas.first == NULL && db->queue.locked.first == NULL &&
	         db->batch.first == NULL && !has_more));
}

static void collect(struct lease_db *db)
{
	struct lease_notes out;
	uint64_t count;

	if (read(db->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	lease_notes_init(&out);
	pthread_mutex_lock(&db->lock);
	lease_notes_move(&out, &db->out);
	pthread_mutex_unlock(&db->lock);
	while (out.first != NULL) {
		struct lease_note *note = out.first;

		out.first = note->next;
		lease_queue_put(&db->queue, note);
	}
}

static void wait_for_work(struct lease_db *db)
{
	struct pollfd fds[2] = { { .fd = db->wake_fd, .events = POLLIN },
		                 { .fd = db->stop_fd, .events = POLLIN } };
	int64_t left_ms = db->try_ms - pw_clock_mono_ms();
	bool has_locked = db->queue.locked.first != NULL;
	int64_t until_ms = has_locked && db->queue.retry_ms < db->beat_ms
	                           ? db->queue.retry_ms
	                           : db->beat_ms;

	if (db->session == NULL)
		(void)poll(fds, 2, left_ms > 0 ? (int)left_ms : 0);
	else if (!pw_db_session_wait(db->session, db->wake_fd, until_ms))
		disconnect(db, PW_STR("connection closed by the server"));
}

/* One statement of each kind: what is told, what is asked, that we are here. Returns
 * whether there may be more to do at once. */
static bool work(struct lease_db *db)
{
	bool has_more = db->session != NULL && settle(db);

	if (db->session != NULL)
		has_more = ask(db) || has_more;
	if (db->session != NULL && pw_clock_mono_ms() >= db->beat_ms)
		(void)beat(db);
	if (db->session != NULL)
		hear_notices(db);
	return has_more && db->session != NULL;
}

static void *lease_db_main(void *arg)
{
	struct lease_db *db = arg;

	while (!is_over(db)) {
		if (db->session == NULL && pw_clock_mono_ms() >= db->try_ms)
			connect(db);
		collect(db);
		if (db->session == NULL)
			give_up_questions(db);
		if (!work(db) && !is_over(db))
			wait_for_work(db);
	}
	if (db->session != NULL) {
		const struct pw_str params[] = { pw_buf_str(&db->name), PW_STR(PROGRAM) };

		(void)run(db, "SELECT mail.node_gone($1, $2)", params, 2, NULL);
	}
	pw_db_session_close(&db->session);
	pthread_mutex_lock(&db->lock);
	db->is_done = true;
	pthread_cond_signal(&db->done);
	pthread_mutex_unlock(&db->lock);
	return NULL;
}

/* A name that no other process has, and that says where it is. */
static enum pw_status make_name(struct pw_buf *out)
{
	char host[256] = "";

	(void)gethostname(host, sizeof(host) - 1);
	pw_buf_printf(out, "%s-%08x%08x", host, arc4random(), arc4random());
	return pw_buf_status(out);
}

static enum pw_status copy_config(struct lease_db *db, const struct pw_db_config *config)
{
	db->config = *config;
	db->conninfo = strdup(config->conninfo);
	db->program = strdup(config->program);
	if (db->conninfo == NULL || db->program == NULL)
		return PW_ERR_NOMEM;
	db->config.conninfo = db->conninfo;
	db->config.program = db->program;
	db->config.event = NULL; /* leases_away, leases_back say it */
	db->config.statement_timeout_ms = STATEMENT_MS;
	if (db->config.connect_timeout_ms > CONNECT_MS)
		db->config.connect_timeout_ms = CONNECT_MS;
	return PW_OK;
}

static void init(struct lease_db *db)
{
	struct lease_notes *all[] = { &db->leaving, &db->batch, &db->out, &db->in };

	for (size_t i = 0; i < PW_LEN(all); i++)
		lease_notes_init(all[i]);
	lease_queue_init(&db->queue);
	pthread_mutex_init(&db->lock, NULL);
	pw_cond_init(&db->done);
	db->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	db->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	db->state.nodes = 1;
	db->drain_deadline_ms = INT64_MAX;
}

enum pw_status lease_db_open(struct lease_db **out, const struct pw_db_config *config,
                             void (*woken)(void *arg), void *arg, struct pw_buf *why_out)
{
	PW_AUTO(lease_db_close) struct lease_db *db = calloc(1, sizeof(*db));
	enum pw_status r;

	(void)why_out; /* a conninfo that is none was told by those before us */
	if (db == NULL)
		return PW_ERR_NOMEM;
	init(db);
	db->woken = woken;
	db->arg = arg;
	if (db->wake_fd < 0 || db->stop_fd < 0)
		return PW_ERR_IO;
	if ((r = copy_config(db, config)) != PW_OK || (r = make_name(&db->name)) != PW_OK)
		return r;
	if ((r = pw_thread_start(&db->thread, lease_db_main, db)) != PW_OK)
		return r;
	db->has_thread = true;
	*out = PW_TAKE(db);
	return PW_OK;
}

void lease_db_drain(struct lease_db *db, int64_t drain_ms)
{
	int64_t deadline_ms = pw_clock_mono_ms() + drain_ms;
	uint64_t one = 1;
	bool in_time = true;

	if (!db->has_thread)
		return;
	lease_db_send(db);
	pthread_mutex_lock(&db->lock);
	db->is_draining = true;
	db->drain_deadline_ms = deadline_ms;
	pthread_mutex_unlock(&db->lock);
	wake(db);
	pthread_mutex_lock(&db->lock);
	while (!db->is_done && in_time)
		in_time = pw_cond_wait(&db->done, &db->lock, deadline_ms);
	pthread_mutex_unlock(&db->lock);
	if (write(db->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(db->thread, NULL);
	db->has_thread = false;
}

void lease_db_close(struct lease_db **db)
{
	struct lease_db *d = *db;

	if (d == NULL)
		return;
	lease_db_drain(d, 0);
	lease_notes_free(&d->leaving.first);
	lease_notes_free(&d->queue.questions.first);
	lease_notes_free(&d->queue.deltas.first);
	lease_notes_free(&d->queue.locked.first);
	lease_notes_free(&d->batch.first);
	lease_notes_free(&d->out.first);
	lease_notes_free(&d->in.first);
	pw_buf_done(&d->name);
	if (d->wake_fd >= 0)
		close(d->wake_fd);
	if (d->stop_fd >= 0)
		close(d->stop_fd);
	pthread_cond_destroy(&d->done);
	pthread_mutex_destroy(&d->lock);
	free(d->conninfo);
	free(d->program);
	free(d);
	*db = NULL;
}
