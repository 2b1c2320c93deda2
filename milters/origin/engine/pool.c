#include "origin/engine/pool.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"
#include "origin/counters.h"
#include "origin/engine/link.h"

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000
#define OPEN_MS 10000      /* for one connection; nobody waits for it */
#define SHORT_LIFE_MS 5000 /* closed sooner than this: the inner wants none kept */

/* One in store; open and quiet. */
struct spare {
	struct smtp_client client;
	struct upstream_offers offers;
	int64_t born_ms;
	bool has_news; /* something came, or the end of it */
};

struct pool {
	const struct upstream_target *target;
	size_t size;
	int64_t age_ms;
	pthread_t thread;
	int wake_fd, stop_fd;
	pthread_mutex_t lock; /* of everything below */
	bool is_closing, is_retired, is_away;
	bool is_resting; /* the thread has nothing to do, until it is poked */
	struct spare *spares[POOL_SIZE_MAX]; /* oldest first */
	size_t count, early;
	int64_t retry_at_ms, retry_ms;
	struct upstream_offers heard;
};

/* The one that keeps connections: that of the newest settings. */
static pthread_mutex_t newest_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pool *newest;

static void poke(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

/* Give up the lock, and let the thread see what has changed; a busy one will. */
static void unlock_and_wake(struct pool *p)
{
	bool is_resting = p->is_resting;

	p->is_resting = false;
	pthread_mutex_unlock(&p->lock);
	if (is_resting)
		poke(p->wake_fd);
}

static void spare_free(struct spare **s)
{
	if (!*s)
		return;
	if ((*s)->client.fd >= 0 && /* without waiting for its answer */
	    smtp_client_send(&(*s)->client, PW_STR("QUIT\r\n"), pw_clock_mono_ms()) !=
	            PW_OK)
		smtp_client_close(&(*s)->client);
	smtp_client_done(&(*s)->client);
	free(*s);
	*s = NULL;
}

/* Under the lock. */
static struct spare *remove_at(struct pool *p, size_t i)
{
	struct spare *s = p->spares[i];

	for (p->count--; i < p->count; i++)
		p->spares[i] = p->spares[i + 1];
	return s;
}

static void put_off(struct pool *p, int64_t now_ms)
{
	p->retry_ms = p->retry_ms ? p->retry_ms * 2 : RETRY_MIN_MS;
	if (p->retry_ms > RETRY_MAX_MS)
		p->retry_ms = RETRY_MAX_MS;
	p->retry_at_ms = now_ms + p->retry_ms;
}

/* Under the lock: drop what is old, dead or not wanted any more. */
static void sweep(struct pool *p, int64_t now_ms)
{
	for (size_t i = p->count; i-- > 0;) {
		struct spare *s = p->spares[i];
		bool is_quiet = !s->has_news || smtp_client_is_quiet(&s->client);

		s->has_news = false;
		if (is_quiet && now_ms - s->born_ms < p->age_ms && !p->is_closing &&
		    !p->is_retired)
			continue;
		if (!is_quiet && now_ms - s->born_ms < SHORT_LIFE_MS)
			put_off(p, now_ms);
		s = remove_at(p, i);
		spare_free(&s);
	}
}

static bool is_wanting(const struct pool *p)
{
	return p->count < p->size && !p->is_retired;
}

static void log_away(const char *step, enum pw_status status,
                     const struct smtp_reply *reply)
{
	pw_log(PW_LOG_WARNING, "", PW_KV("event", "inner_away"), PW_KV("cause", step),
	       PW_KV("status", pw_status_text(status)),
	       reply->code ? PW_KV_INT("code", reply->code) : PW_KV_NONE,
	       reply->code ? PW_KV("text", pw_buf_str(&reply->text)) : PW_KV_NONE,
	       PW_KV_END);
}

/* Under the lock. */
static void is_there(struct pool *p, const struct upstream_offers *offers)
{
	p->heard = *offers;
	if (p->is_away)
		pw_log(PW_LOG_INFO, "", PW_KV("event", "inner_back"), PW_KV_END);
	p->is_away = false;
}

/* Under the lock, given up while the connection is made. */
static void add_one(struct pool *p)
{
	struct spare *s = calloc(1, sizeof(*s));
	const char *step = "connect";
	enum pw_status r = PW_ERR_NOMEM;

	pthread_mutex_unlock(&p->lock);
	if (s) {
		smtp_client_init(&s->client);
		s->client.cancel_fd = p->stop_fd;
		r = link_open(&s->client, p->target, pw_clock_mono_ms() + OPEN_MS,
		              &s->offers, &step);
		s->born_ms = pw_clock_mono_ms();
	}
	pthread_mutex_lock(&p->lock);
	if (r == PW_OK) {
		smtp_client_expect_life(&s->client, p->target->connect_ms);
		is_there(p, &s->offers);
		p->spares[p->count++] = s;
		return;
	}
	put_off(p, pw_clock_mono_ms());
	if (!p->is_away && !p->is_closing && s)
		log_away(step, r, &s->client.reply);
	p->is_away = true;
	spare_free(&s);
}

/* Under the lock: which of the spares that are still here have something to read. */
static void mark_news(struct pool *p, const struct pollfd *fds, nfds_t count)
{
	for (size_t i = 0; i < p->count; i++)
		for (nfds_t k = 0; k < count; k++)
			if (fds[k].fd == p->spares[i]->client.fd && fds[k].revents)
				p->spares[i]->has_news = true;
}

/* Until somebody pokes, a spare is closed by the inner, or time has come. Under the lock,
 * given up meanwhile: a spare that is taken then may wake us for nothing. */
static void rest(struct pool *p, int64_t now_ms)
{
	struct pollfd fds[2 + POOL_SIZE_MAX] = { { .fd = p->wake_fd, .events = POLLIN },
		                                 { .fd = p->stop_fd, .events = POLLIN } };
	int64_t until_ms = is_wanting(p) ? p->retry_at_ms : INT64_MAX;
	nfds_t count = 2;
	uint64_t pokes;

	for (size_t i = 0; i < p->count; i++) {
		fds[count++] = (struct pollfd){ .fd = p->spares[i]->client.fd,
			                        .events = POLLIN };
		if (p->spares[i]->born_ms + p->age_ms < until_ms)
			until_ms = p->spares[i]->born_ms + p->age_ms;
	}
	p->is_resting = true;
	pthread_mutex_unlock(&p->lock);
	(void)poll(fds, count,
	           until_ms == INT64_MAX ? -1
	           : until_ms > now_ms   ? (int)(until_ms - now_ms)
	                                 : 0);
	if (fds[0].revents)
		(void)!read(p->wake_fd, &pokes, sizeof(pokes));
	pthread_mutex_lock(&p->lock);
	p->is_resting = false;
	mark_news(p, fds + 2, count - 2);
}

static void *keep(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->is_closing) {
		int64_t now_ms = pw_clock_mono_ms();

		sweep(p, now_ms);
		if (is_wanting(p) && now_ms >= p->retry_at_ms)
			add_one(p);
		else
			rest(p, now_ms);
	}
	sweep(p, pw_clock_mono_ms());
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void pool_free(struct pool **p)
{
	if (!*p)
		return;
	if ((*p)->wake_fd >= 0)
		close((*p)->wake_fd);
	if ((*p)->stop_fd >= 0)
		close((*p)->stop_fd);
	(void)pthread_mutex_destroy(&(*p)->lock);
	free(*p);
	*p = NULL;
}

/* From now on p is the one. */
static void succeed(struct pool *p)
{
	pthread_mutex_lock(&newest_lock);
	if (newest) {
		pthread_mutex_lock(&newest->lock);
		newest->is_retired = true;
		unlock_and_wake(newest);
	}
	newest = p;
	pthread_mutex_unlock(&newest_lock);
}

enum pw_status pool_open(struct pool **out, const struct upstream_target *target,
                         size_t size, int64_t age_ms)
{
	PW_AUTO(pool_free) struct pool *p = calloc(1, sizeof(*p));
	enum pw_status r;

	if (!p)
		return PW_ERR_NOMEM;
	p->target = target;
	p->size = size < POOL_SIZE_MAX ? size : POOL_SIZE_MAX;
	p->age_ms = age_ms;
	(void)pthread_mutex_init(&p->lock, NULL);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->wake_fd < 0 || p->stop_fd < 0)
		return PW_ERR_IO;
	if (p->size > 0 && (r = pw_thread_start(&p->thread, keep, p)) != PW_OK)
		return r;
	succeed(p);
	*out = PW_TAKE(p);
	return PW_OK;
}

void pool_close(struct pool **out)
{
	struct pool *p = *out;

	if (!p)
		return;
	pthread_mutex_lock(&newest_lock);
	if (newest == p)
		newest = NULL;
	pthread_mutex_unlock(&newest_lock);
	pthread_mutex_lock(&p->lock);
	p->is_closing = true;
	pthread_mutex_unlock(&p->lock);
	poke(p->stop_fd);
	if (p->size > 0)
		(void)pthread_join(p->thread, NULL);
	pool_free(out);
}

/* Under the lock. */
static bool may_take(const struct pool *p, bool is_early)
{
	if (!is_early)
		return p->count > 0;
	return p->count > (p->size > 1) && p->early < POOL_EARLY_MAX;
}

bool pool_take(struct pool *p, bool is_early, struct smtp_client *client,
               struct upstream_offers *out)
{
	bool has_one = false;

	if (!p || p->size == 0)
		return false;
	pthread_mutex_lock(&p->lock);
	while (!has_one && may_take(p, is_early)) {
		struct spare *s = remove_at(p, 0);

		if ((has_one = smtp_client_is_quiet(&s->client))) {
			smtp_client_move(client, &s->client);
			*out = s->offers;
			p->retry_ms = 0;
		}
		spare_free(&s);
	}
	p->early += has_one && is_early;
	unlock_and_wake(p);
	pw_count(&counters, COUNT_pool_taken, has_one);
	return has_one;
}

void pool_settle(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->early--;
	pthread_mutex_unlock(&p->lock);
}

void pool_distrust(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->count > 0) {
		struct spare *s = remove_at(p, 0);

		spare_free(&s);
	}
	unlock_and_wake(p);
}

void pool_tell(struct pool *p, const struct upstream_offers *offers)
{
	bool is_waiting;

	pthread_mutex_lock(&p->lock);
	is_there(p, offers);
	is_waiting = p->retry_at_ms > 0 && is_wanting(p);
	p->retry_at_ms = p->retry_ms = 0;
	if (is_waiting)
		unlock_and_wake(p);
	else
		pthread_mutex_unlock(&p->lock);
}

struct upstream_offers pool_offers(struct pool *p)
{
	struct upstream_offers heard;

	pthread_mutex_lock(&p->lock);
	heard = p->heard;
	pthread_mutex_unlock(&p->lock);
	return heard;
}
