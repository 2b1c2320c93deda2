#include "score/list_health.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/json.h"
#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"

#define LOOK_MS 2000     /* so often what messages found out is looked at */
#define PATIENCE_MS 5000 /* longest wait for a test point */
#define TEXTS_BYTES ((size_t)1024 * 1024)
#define ROUND_BYTES ((size_t)256 * 1024)

/* Never freed before the end: lists of old snapshots point to the slot. */
struct entry {
	struct pw_dns_list_slot slot;
	struct pw_str zone;
	const char *about;
	struct pw_buf listed, unlisted; /* names of the test points; empty = none */
	struct pw_dns_codes refusals;
	int64_t generation; /* in which it was bound last */
	int told;           /* state that was told last; the thread's */
	struct entry *next;
};

struct list_health {
	struct pw_resolver *resolver;
	int64_t probe_ms;
	void (*tell)(void *arg, struct pw_str row);
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake;
	struct pw_arena *texts;
	struct entry *entries;
	int64_t generation;
	bool has_new, is_stopping;
};

/* ---- telling */

static void tell_one(struct list_health *health, const struct entry *e, int state)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };

	pw_buf_puts(&row, PW_STR("{\"zone\": "));
	pw_json_put_string(&row, e->zone);
	pw_buf_printf(&row, ", \"about\": \"%s\", \"state\": \"%s\"}", e->about,
	              pw_dns_list_state_text((enum pw_dns_list_state)state));
	if (pw_buf_status(&row) == PW_OK)
		health->tell(health->arg, pw_buf_str(&row));
}

/* One line a state, however many lists came to it. */
static void log_those(const char *state, const struct pw_buf *zones)
{
	if (zones->len > 0)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "dns_lists"),
		       PW_KV("state", state), PW_KV("zones", pw_buf_str(zones)),
		       PW_KV_END);
}

static void tell_changes(struct list_health *health)
{
	struct pw_buf zones[PW_DNS_LIST_STATES] = { 0 };

	for (struct entry *e = health->entries; e != NULL; e = e->next) {
		int state = atomic_load(&e->slot.state);

		if (state == e->told || e->generation != health->generation)
			continue;
		tell_one(health, e, state);
		/* that a list is good from the start is no news */
		if (state != PW_DNS_LIST_GOOD || e->told != PW_DNS_LIST_UNKNOWN) {
			pw_buf_puts(&zones[state],
			            zones[state].len > 0 ? PW_STR(" ") : PW_STR(""));
			pw_buf_puts(&zones[state], e->zone);
		}
		e->told = state;
	}
	for (int s = 0; s < PW_DNS_LIST_STATES; s++) {
		log_those(pw_dns_list_state_text((enum pw_dns_list_state)s), &zones[s]);
		pw_buf_done(&zones[s]);
	}
}

/* ---- test points */

struct probe {
	struct entry *entry;
	struct pw_dns_codes refusals;
	struct pw_dns_ticket *listed, *unlisted; /* NULL: no such point */
};

static struct pw_dns_ticket *ask(struct list_health *health, const struct pw_buf *name)
{
	struct pw_dns_question question = { PW_DNS_A, pw_buf_str(name) };
	struct pw_dns_ticket *ticket = NULL;

	if (name->len == 0 || pw_dns_ask(health->resolver, &question, &ticket) != PW_OK)
		return NULL;
	return ticket;
}

/* Under the lock: all questions at once. */
static size_t ask_all(struct list_health *health, struct probe *probes, size_t max)
{
	size_t count = 0;

	for (struct entry *e = health->entries; e != NULL && count < max; e = e->next)
		if (e->generation == health->generation)
			probes[count++] =
				(struct probe){ e, e->refusals, ask(health, &e->listed),
				                ask(health, &e->unlisted) };
	return count;
}

/* NULL: nobody was asked. */
static const enum pw_dns_list_word *hear(struct pw_dns_ticket **ticket,
                                         const struct pw_dns_codes *refusals,
                                         int64_t deadline_ms, struct pw_arena *arena,
                                         enum pw_dns_list_word *word)
{
	struct pw_dns_answer answer;

	if (*ticket == NULL)
		return NULL;
	*word = PW_DNS_LIST_NO_ANSWER;
	if (pw_dns_wait(ticket, deadline_ms, arena, &answer) == PW_OK)
		*word = pw_dns_list_read(&answer, refusals);
	return word;
}

static void probe_all(struct list_health *health)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct probe probes[PW_DNS_LISTS_MAX];
	int64_t deadline_ms = pw_clock_mono_ms() + PATIENCE_MS;
	size_t count;

	(void)pthread_mutex_lock(&health->lock);
	count = ask_all(health, probes, PW_LEN(probes));
	(void)pthread_mutex_unlock(&health->lock);
	if (pw_arena_new(&arena, ROUND_BYTES) != PW_OK) {
		for (size_t i = 0; i < count; i++) {
			pw_dns_drop(&probes[i].listed);
			pw_dns_drop(&probes[i].unlisted);
		}
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct probe *p = &probes[i];
		enum pw_dns_list_word words[2];
		const enum pw_dns_list_word *listed =
			hear(&p->listed, &p->refusals, deadline_ms, arena, &words[0]);
		const enum pw_dns_list_word *unlisted =
			hear(&p->unlisted, &p->refusals, deadline_ms, arena, &words[1]);

		atomic_store(&p->entry->slot.silent, 0);
		atomic_store(&p->entry->slot.state,
		             (int)pw_dns_list_judge(listed, unlisted));
	}
}

static void *run(void *arg)
{
	struct list_health *health = arg;
	int64_t next_ms = INT64_MIN;

	(void)pthread_mutex_lock(&health->lock);
	while (!health->is_stopping) {
		int64_t now_ms = pw_clock_mono_ms();

		if (health->has_new || now_ms >= next_ms) {
			health->has_new = false;
			next_ms = now_ms + health->probe_ms;
			(void)pthread_mutex_unlock(&health->lock);
			probe_all(health);
			(void)pthread_mutex_lock(&health->lock);
		}
		tell_changes(health);
		if (!health->has_new && !health->is_stopping)
			(void)pw_cond_wait(&health->wake, &health->lock,
			                   pw_clock_mono_ms() + LOOK_MS);
	}
	(void)pthread_mutex_unlock(&health->lock);
	return NULL;
}

/* ---- life */

enum pw_status list_health_open(struct list_health **out, struct pw_resolver *resolver,
                                int64_t probe_ms,
                                void (*tell)(void *arg, struct pw_str row), void *arg)
{
	struct list_health *health = calloc(1, sizeof(*health));
	enum pw_status r;

	if (health == NULL)
		return PW_ERR_NOMEM;
	health->resolver = resolver;
	health->probe_ms = probe_ms;
	health->tell = tell;
	health->arg = arg;
	(void)pthread_mutex_init(&health->lock, NULL);
	pw_cond_init(&health->wake);
	if ((r = pw_arena_new(&health->texts, TEXTS_BYTES)) == PW_OK)
		r = pw_thread_start(&health->thread, run, health);
	if (r != PW_OK) {
		pw_arena_free(&health->texts);
		free(health);
		return r;
	}
	*out = health;
	return PW_OK;
}

void list_health_close(struct list_health **health_inout)
{
	struct list_health *health = *health_inout;

	if (health == NULL)
		return;
	(void)pthread_mutex_lock(&health->lock);
	health->is_stopping = true;
	(void)pthread_cond_signal(&health->wake);
	(void)pthread_mutex_unlock(&health->lock);
	(void)pthread_join(health->thread, NULL);
	for (struct entry *e = health->entries; e != NULL; e = e->next) {
		pw_buf_done(&e->listed);
		pw_buf_done(&e->unlisted);
	}
	pw_arena_free(&health->texts);
	(void)pthread_cond_destroy(&health->wake);
	(void)pthread_mutex_destroy(&health->lock);
	free(health);
	*health_inout = NULL;
}

void list_health_begin(struct list_health *health)
{
	(void)pthread_mutex_lock(&health->lock);
	health->generation++;
	(void)pthread_mutex_unlock(&health->lock);
}

static struct entry *find(struct list_health *health, struct pw_str zone,
                          const char *about)
{
	struct entry *e = health->entries;

	while (e != NULL && (!pw_str_eq(e->zone, zone) ||
	                     !pw_str_eq(pw_str_from(e->about), pw_str_from(about))))
		e = e->next;
	return e;
}

static struct entry *make(struct list_health *health, struct pw_str zone,
                          const char *about)
{
	struct entry *e = pw_arena_alloc(health->texts, sizeof(*e));

	if (e == NULL)
		return NULL;
	*e = (struct entry){ .about = about, .told = PW_DNS_LIST_UNKNOWN };
	if (pw_arena_copy(health->texts, zone, &e->zone) != PW_OK)
		return NULL;
	e->next = health->entries;
	health->entries = e;
	return e;
}

static bool set_point(struct pw_buf *name, struct pw_str point, struct pw_str zone)
{
	PW_AUTO(pw_buf_done) struct pw_buf now = { 0 };

	pw_buf_puts(&now, point);
	if (point.len > 0) {
		pw_buf_putc(&now, '.');
		pw_buf_puts(&now, zone);
	}
	if (pw_str_eq(pw_buf_str(&now), pw_buf_str(name)))
		return false;
	pw_buf_reset(name);
	pw_buf_puts(name, pw_buf_str(&now));
	return true;
}

enum pw_status list_health_bind(struct list_health *health, struct pw_dns_lists *lists,
                                size_t i, struct pw_str listed, struct pw_str unlisted)
{
	struct pw_str zone = pw_dns_lists_zone(lists, i);
	const char *about = pw_dns_lists_about(lists, i);
	struct entry *e;

	(void)pthread_mutex_lock(&health->lock);
	e = find(health, zone, about);
	if (e == NULL)
		e = make(health, zone, about);
	if (e != NULL) {
		bool is_other = set_point(&e->listed, listed, zone);

		is_other = set_point(&e->unlisted, unlisted, zone) || is_other;
		is_other = is_other || e->generation < health->generation - 1;
		e->refusals = *pw_dns_lists_refusals(lists, i);
		e->generation = health->generation;
		health->has_new = health->has_new || is_other ||
		                  atomic_load(&e->slot.state) == PW_DNS_LIST_UNKNOWN;
		pw_dns_lists_bind(lists, i, &e->slot);
		(void)pthread_cond_signal(&health->wake);
	}
	(void)pthread_mutex_unlock(&health->lock);
	return e != NULL ? PW_OK : PW_ERR_NOMEM;
}
