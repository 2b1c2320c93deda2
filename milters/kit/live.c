#include "kit/live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/log.h"
#include "kit/kit.h"

#define EXIT_CONFIG 78 /* sysexits.h */

struct generation {
	struct kit_held held; /* first: what callers hold is the generation */
	void *set, *derived;
	size_t holders; /* the kit_live itself is one */
};

struct kit_live {
	pthread_mutex_t lock;
	struct generation *now;
	const struct pw_settings_schema *schema;
	struct kit_live_hooks hooks;
	struct pw_options options;
};

static void generation_free(struct kit_live *live, struct generation **g)
{
	if (!*g)
		return;
	if (live->hooks.drop)
		live->hooks.drop(&(*g)->derived);
	pw_settings_free(&(*g)->set);
	free(*g);
	*g = NULL;
}

/* Takes over *set, whatever happens. */
static enum pw_status generation_new(struct kit_live *live, struct generation **out,
                                     void **set, struct pw_buf *why_out)
{
	struct generation *g = calloc(1, sizeof(*g));
	enum pw_status r;

	if (!g) {
		pw_settings_free(set);
		return PW_ERR_NOMEM;
	}
	g->set = PW_TAKE(*set);
	g->holders = 1;
	if (live->hooks.derive &&
	    (r = live->hooks.derive(&g->derived, g->set, why_out)) != PW_OK) {
		generation_free(live, &g);
		return r;
	}
	g->held = (struct kit_held){ g->set, g->derived };
	*out = g;
	return PW_OK;
}

static void open_log(const struct kit_live *live, const void *set)
{
	const struct pw_settings_common *common = set;

	pw_log_open(live->schema->program, (enum pw_log_target)common->log_target,
	            (enum pw_log_level)common->log_level);
}

int kit_live_start(struct kit_live **out, const struct pw_settings_schema *schema,
                   const struct kit_live_hooks *hooks, int argc, char **argv)
{
	PW_AUTO(kit_live_free) struct kit_live *live = calloc(1, sizeof(*live));
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	void *set = NULL;
	enum pw_status r;
	int code;

	kit_signals_block();
	if (!live)
		return EXIT_FAILURE;
	pthread_mutex_init(&live->lock, NULL);
	live->schema = schema;
	if (hooks)
		live->hooks = *hooks;
	if ((code = pw_options_start(&live->options, schema, argc, argv, &set)) !=
	    PW_OPTIONS_RUN)
		return code;
	open_log(live, set);
	if ((r = generation_new(live, &live->now, &set, &why)) != PW_OK) {
		fprintf(stderr, "%s: %s: %s\n", schema->program, pw_status_text(r),
		        pw_buf_text(&why));
		return EXIT_CONFIG;
	}
	*out = PW_TAKE(live);
	return PW_OPTIONS_RUN;
}

void kit_live_free(struct kit_live **live)
{
	if (!*live)
		return;
	generation_free(*live, &(*live)->now);
	pthread_mutex_destroy(&(*live)->lock);
	free(*live);
	*live = NULL;
}

const struct kit_held *kit_live_get(struct kit_live *live)
{
	struct generation *g;

	pthread_mutex_lock(&live->lock);
	g = live->now;
	g->holders++;
	pthread_mutex_unlock(&live->lock);
	return &g->held;
}

static void let_go(struct kit_live *live, struct generation *g)
{
	bool is_last;

	pthread_mutex_lock(&live->lock);
	is_last = --g->holders == 0;
	pthread_mutex_unlock(&live->lock);
	if (is_last)
		generation_free(live, &g);
}

void kit_live_put(struct kit_live *live, const struct kit_held **held)
{
	if (*held)
		let_go(live, (struct generation *)(uintptr_t)*held);
	*held = NULL;
}

enum pw_status kit_live_reload(void *user)
{
	struct kit_live *live = user;
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };
	struct generation *next, *old = live->now; /* only this thread ever changes it */
	void *set = NULL;
	enum pw_status r;

	r = pw_options_reload(&live->options, live->schema, &set, old->set, &notes);
	if (r == PW_OK)
		r = generation_new(live, &next, &set, &notes);
	pw_log_notes(PW_LOG_WARNING, pw_buf_str(&notes));
	if (r != PW_OK) {
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "reload"),
		       PW_KV("action", "keep_old"), PW_KV("status", pw_status_text(r)),
		       PW_KV_END);
		return r;
	}
	open_log(live, next->set);
	pthread_mutex_lock(&live->lock);
	live->now = next;
	pthread_mutex_unlock(&live->lock);
	let_go(live, old);
	return PW_OK;
}
