#include "policyd/chores.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"
#include "policyd/chore_queue.h"
#include "policyd/chore_run.h"
#include "policyd/numbers.h"

/* A thread for each kind: a delivery that hangs delays no closing of sessions. */
struct worker {
	enum chore_kind kind;
	const struct chores_config *config;
	char *socket; /* our own: settings go with a reload */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct chore_queue *queue; /* under the lock */
	atomic_bool is_stopping;
	bool is_failing; /* the peer's last answer; of the thread alone */
};

struct chores {
	struct chores_config config;
	struct worker *workers[CHORE_KINDS];
};

static const char *const kind_names[CHORE_KINDS] = { "kick", "warn" };

/* ---- putting */

static void tell_lost(enum chore_kind kind, struct pw_str login, enum pw_status why)
{
	pw_count(&numbers, NUMBER_chores_lost, 1);
	pw_log(PW_LOG_ERROR, "", PW_KV("event", "chore_lost"),
	       PW_KV("action", kind_names[kind]), PW_KV_ADDR("login", login),
	       PW_KV("why", pw_status_text(why)), PW_KV_END);
}

static enum pw_status put(struct worker *worker, struct chore **chore)
{
	enum pw_status r;

	pthread_mutex_lock(&worker->lock);
	r = chore_queue_put(worker->queue, chore);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
	return r;
}

static enum pw_status put_kick(struct worker *worker, struct pw_str login,
                               struct pw_str why)
{
	PW_AUTO(chore_free) struct chore *chore = NULL;
	enum pw_status r = chore_new(&chore, CHORE_KICK, login);

	if (r != PW_OK)
		return r;
	pw_buf_puts(&chore->subject, why);
	return put(worker, &chore);
}

void chores_kick(struct chores *chores, struct pw_str login, struct pw_str why)
{
	struct worker *worker = chores->workers[CHORE_KICK];
	enum pw_status r;

	if (worker == NULL)
		return;
	r = put_kick(worker, login, why);
	if (r == PW_ERR_LIMIT)
		r = put_kick(worker, PW_STR("*"), PW_STR("too many to close one by one"));
	if (r != PW_OK)
		tell_lost(CHORE_KICK, login, r);
}

static enum pw_status put_warning(struct worker *worker,
                                  const struct chores_warning *warning)
{
	PW_AUTO(chore_free) struct chore *chore = NULL;
	enum pw_status r = chore_new(&chore, CHORE_WARN, warning->login);

	if (r != PW_OK)
		return r;
	pw_buf_puts(&chore->subject, warning->subject);
	pw_buf_puts(&chore->text, warning->text);
	chore->percent = warning->percent;
	chore->used_bytes = warning->used_bytes;
	chore->quota_bytes = warning->quota_bytes;
	chore->is_notice = warning->is_notice;
	return put(worker, &chore);
}

void chores_warn(struct chores *chores, const struct chores_warning *warning)
{
	struct worker *worker = chores->workers[CHORE_WARN];
	enum pw_status r;

	if (worker != NULL && (r = put_warning(worker, warning)) != PW_OK)
		tell_lost(CHORE_WARN, warning->login, r);
}

/* ---- closing sessions */

/* The second round, for who came in by a cached password after the first. */
static void put_again(struct worker *worker, struct chore *chore)
{
	PW_AUTO(chore_free) struct chore *again = NULL;

	if (chore->is_again ||
	    chore_new(&again, CHORE_KICK, pw_buf_str(&chore->login)) != PW_OK)
		return;
	pw_buf_puts(&again->subject, pw_buf_str(&chore->subject));
	again->is_again = true;
	again->due_ms = pw_clock_mono_ms() + CHORES_AGAIN_MS;
	if (put(worker, &again) != PW_OK)
		tell_lost(CHORE_KICK, pw_buf_str(&chore->login), PW_ERR_LIMIT);
}

static void tell_kick(struct worker *worker, const struct chore *chore, bool is_closed)
{
	struct chores_event event = { .kind = "sessions_closed",
		                      .login = pw_buf_str(&chore->login),
		                      .why = pw_buf_str(&chore->subject) };

	if (chore->is_again && !is_closed)
		return;
	pw_count(&numbers, NUMBER_kicks, !chore->is_again);
	pw_count(&numbers, NUMBER_sessions_closed, is_closed);
	pw_log(PW_LOG_INFO, "", PW_KV("action", "kick"), PW_KV_ADDR("login", event.login),
	       PW_KV("why", event.why), PW_KV("closed", is_closed ? "yes" : "no"),
	       chore->is_again ? PW_KV("again", "yes") : PW_KV_NONE, PW_KV_END);
	if (is_closed)
		worker->config->tell(worker->config->arg, &event);
}

/* ---- warning */

static void tell_warning(struct worker *worker, const struct chore *chore)
{
	struct chores_event event = { .kind = chore->is_notice ? "rate_notice"
		                                               : "quota_warning",
		                      .login = pw_buf_str(&chore->login),
		                      .percent = chore->percent };

	pw_count(&numbers, NUMBER_warnings, 1);
	pw_log(PW_LOG_INFO, "", PW_KV("action", "warn"),
	       PW_KV("cause", chore->is_notice ? "rate" : "quota"),
	       PW_KV_ADDR("login", event.login),
	       chore->is_notice ? PW_KV_NONE : PW_KV_INT("percent", chore->percent),
	       PW_KV_END);
	worker->config->tell(worker->config->arg, &event);
}

/* ---- the thread */

/* Done, whether or not there was something to do. */
static void finish(struct worker *worker, struct chore *chore, bool is_done)
{
	worker->is_failing = false;
	if (chore->kind == CHORE_WARN) {
		tell_warning(worker, chore);
		return;
	}
	tell_kick(worker, chore, is_done);
	put_again(worker, chore);
}

/* One line when a peer begins to fail, one for each chore that is given up. */
static void fail(struct worker *worker, struct chore **chore,
                 const struct chore_outcome *outcome)
{
	struct chore *c = *chore;
	bool is_over =
		outcome->end == CHORE_REFUSED || !chore_may_retry(c, pw_clock_mono_ms());

	if (is_over || !worker->is_failing)
		pw_log(is_over ? PW_LOG_ERROR : PW_LOG_WARNING, "",
		       PW_KV("event", is_over ? "chore_given_up" : "chore_waits"),
		       PW_KV("action", kind_names[c->kind]),
		       PW_KV_ADDR("login", pw_buf_str(&c->login)),
		       PW_KV("socket", worker->socket), PW_KV("why", outcome->why),
		       PW_KV_END);
	worker->is_failing = outcome->end != CHORE_REFUSED;
	if (is_over)
		pw_count(&numbers, NUMBER_chores_lost, 1);
	else if (put(worker, chore) != PW_OK)
		pw_count(&numbers, NUMBER_chores_lost, 1);
}

static struct chore *next_chore(struct worker *worker)
{
	struct chore *chore = NULL;
	int64_t due_ms;

	pthread_mutex_lock(&worker->lock);
	while (!atomic_load(&worker->is_stopping) &&
	       (chore = chore_queue_take(worker->queue, &due_ms, pw_clock_mono_ms())) ==
	               NULL)
		pw_cond_wait(&worker->wake, &worker->lock, due_ms);
	pthread_mutex_unlock(&worker->lock);
	return chore;
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct chore *next;

	while ((next = next_chore(worker)) != NULL) {
		PW_AUTO(chore_free) struct chore *chore = next;
		struct chore_outcome outcome =
			chore_run(chore, worker->socket, &worker->is_stopping);

		if (outcome.end == CHORE_DONE || outcome.end == CHORE_NOTHING)
			finish(worker, chore, outcome.end == CHORE_DONE);
		else if (!atomic_load(&worker->is_stopping))
			fail(worker, &chore, &outcome);
	}
	return NULL;
}

/* ---- life */

static void worker_free(struct worker **worker)
{
	struct worker *w = *worker;

	if (w == NULL)
		return;
	chore_queue_free(&w->queue);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w->socket);
	free(w);
	*worker = NULL;
}

static enum pw_status worker_start(struct worker **out, enum chore_kind kind,
                                   const char *socket, const struct chores_config *config)
{
	PW_AUTO(worker_free) struct worker *worker = calloc(1, sizeof(*worker));
	uint8_t seed[16];
	enum pw_status r;

	if (worker == NULL)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&worker->lock, NULL);
	pw_cond_init(&worker->wake);
	worker->kind = kind;
	worker->config = config;
	if ((worker->socket = strdup(socket)) == NULL)
		return PW_ERR_NOMEM;
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return PW_ERR_IO;
	if ((r = chore_queue_new(&worker->queue, seed)) != PW_OK ||
	    (r = pw_thread_start(&worker->thread, worker_main, worker)) != PW_OK)
		return r;
	*out = PW_TAKE(worker);
	return PW_OK;
}

static void worker_stop(struct worker **worker)
{
	struct worker *w = *worker;

	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	atomic_store(&w->is_stopping, true);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	worker_free(worker);
}

enum pw_status chores_start(struct chores **out, const struct chores_config *config)
{
	PW_AUTO(chores_stop) struct chores *chores = calloc(1, sizeof(*chores));
	const char *const sockets[] = {
		[CHORE_KICK] = config->doveadm_socket, [CHORE_WARN] = config->lmtp_socket
	};
	enum pw_status r;

	if (chores == NULL)
		return PW_ERR_NOMEM;
	chores->config = *config;
	for (enum chore_kind kind = 0; kind < CHORE_KINDS; kind++)
		if (sockets[kind][0] != '\0' &&
		    (r = worker_start(&chores->workers[kind], kind, sockets[kind],
		                      &chores->config)) != PW_OK)
			return r;
	*out = PW_TAKE(chores);
	return PW_OK;
}

void chores_stop(struct chores **chores)
{
	if (*chores == NULL)
		return;
	for (size_t i = 0; i < CHORE_KINDS; i++)
		worker_stop(&(*chores)->workers[i]);
	free(*chores);
	*chores = NULL;
}
