#include "origin/fallback/hold.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "io/clock.h"
#include "io/log.h"
#include "io/spf.h"
#include "origin/counters.h"
#include "origin/fallback/inject.h"
#include "origin/fallback/spool.h"

#define TEXTS_BYTES ((size_t)16 * 1024)
#define SPF_BYTES ((size_t)1024 * 1024)
#define SPF_MS 20000
#define INJECT_MS 40000
#define MAIL_WORDS 16

struct holds {
	pthread_mutex_t lock;
	struct pw_resolver *resolver; /* NULL = not needed yet */
	const char *folder, *dns_servers;
};

struct hold {
	struct holds *holds;
	struct pw_arena *texts;
	struct pw_origin origin;
	bool has_origin;
	enum pw_status status; /* of what is remembered here */
	char *mail[MAIL_WORDS + 1];
	struct spool spool;
	/* all refusals of a message share the sender's SPF, and the time for hold */
	bool has_asked;
	enum pw_status asked;
	enum pw_spf_result spf;
	int64_t inject_until_ms; /* 0 = not begun */
};

enum pw_status holds_new(struct holds **out, const char *folder, const char *dns_servers)
{
	struct holds *holds = calloc(1, sizeof(*holds));

	if (!holds)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&holds->lock, NULL);
	holds->folder = folder;
	holds->dns_servers = dns_servers;
	*out = holds;
	return PW_OK;
}

void holds_free(struct holds **holds)
{
	if (!*holds)
		return;
	pw_resolver_close(&(*holds)->resolver);
	pthread_mutex_destroy(&(*holds)->lock);
	free(*holds);
	*holds = NULL;
}

static enum pw_status get_resolver(struct holds *holds, struct pw_resolver **out)
{
	enum pw_status r = PW_OK;

	pthread_mutex_lock(&holds->lock);
	if (!holds->resolver)
		r = pw_dns_open(&holds->resolver, pw_str_from(holds->dns_servers));
	*out = holds->resolver;
	pthread_mutex_unlock(&holds->lock);
	return r;
}

enum pw_status hold_new(struct hold **out, struct holds *holds)
{
	struct hold *hold = calloc(1, sizeof(*hold));
	enum pw_status r;

	if (!hold)
		return PW_ERR_NOMEM;
	hold->holds = holds;
	hold->spool.folder = holds->folder;
	if ((r = pw_arena_new(&hold->texts, TEXTS_BYTES)) != PW_OK) {
		hold_free(&hold);
		return r;
	}
	*out = hold;
	return PW_OK;
}

void hold_free(struct hold **hold)
{
	if (!*hold)
		return;
	spool_done(&(*hold)->spool);
	pw_arena_free(&(*hold)->texts);
	free(*hold);
	*hold = NULL;
}

void hold_reset(struct hold *hold)
{
	spool_reset(&hold->spool);
	pw_arena_reset(hold->texts);
	hold->origin = (struct pw_origin){ 0 };
	hold->has_origin = false;
	hold->status = PW_OK;
	hold->has_asked = false;
	hold->inject_until_ms = 0;
	memset(hold->mail, 0, sizeof(hold->mail));
}

static void keep(struct hold *hold, struct pw_str *text)
{
	if (hold->status == PW_OK)
		hold->status = pw_arena_copy(hold->texts, *text, text);
}

static void keep_mail(struct hold *hold, char *const *mail)
{
	for (size_t i = 0; mail[i]; i++) {
		size_t bytes = strlen(mail[i]) + 1;

		if (i == MAIL_WORDS)
			hold->status = PW_ERR_LIMIT;
		else if (!(hold->mail[i] = pw_arena_alloc(hold->texts, bytes)))
			hold->status = PW_ERR_NOMEM;
		if (hold->status != PW_OK)
			return;
		memcpy(hold->mail[i], mail[i], bytes);
	}
}

void hold_begin(struct hold *hold, const struct pw_origin *origin, char *const *mail)
{
	hold_reset(hold);
	keep_mail(hold, mail);
	hold->has_origin = origin && origin->address.family != PW_IP_NONE;
	if (!hold->has_origin)
		return;
	hold->origin = *origin;
	keep(hold, &hold->origin.name);
	keep(hold, &hold->origin.ptr);
	keep(hold, &hold->origin.helo);
	keep(hold, &hold->origin.protocol);
	keep(hold, &hold->origin.login);
	hold->origin.tls_version = hold->origin.tls_cipher = (struct pw_str){ NULL, 0 };
}

void hold_write(struct hold *hold, struct pw_str bytes)
{
	spool_write(&hold->spool, bytes);
}

/* The sender's address without brackets. */
static struct pw_str sender_of(const struct hold *hold)
{
	struct pw_str text = pw_str_from(hold->mail[0]);

	if (text.len >= 2 && text.at[0] == '<' && text.at[text.len - 1] == '>')
		return pw_str_sub(text, 1, text.len - 2);
	return text;
}

/* Which words say that a refusal may go back without asking the DNS, or NULL. */
static const char *harmless(const struct hold *hold)
{
	if (!hold->has_origin)
		return "local"; /* the sender is one of this host */
	if (hold->origin.login.len > 0)
		return "login";
	if (sender_of(hold).len == 0)
		return "null_sender"; /* nobody gets a bounce */
	return NULL;
}

static enum pw_status ask_spf(const struct hold *hold, const struct hold_settings *set,
                              enum pw_spf_result *out)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	const struct pw_spf_input input = { .ip = hold->origin.address,
		                            .helo = hold->origin.helo,
		                            .from = sender_of(hold),
		                            .receiver = pw_str_from(set->hello),
		                            .now_s = pw_clock_wall_ms() / 1000 };
	struct pw_spf_outcome outcome;
	struct pw_resolver *resolver;
	enum pw_status r;

	if ((r = get_resolver(hold->holds, &resolver)) != PW_OK ||
	    (r = pw_arena_new(&arena, SPF_BYTES)) != PW_OK ||
	    (r = pw_spf_check(&outcome, arena, &input, resolver,
	                      pw_clock_mono_ms() + SPF_MS)) != PW_OK)
		return r;
	*out = outcome.result;
	return PW_OK;
}

/* What was decided, for the log. */
struct decision {
	enum hold_verdict verdict;
	const char *spf; /* result, or why nobody was asked */
	enum pw_status status;
	struct pw_buf why;
};

static void put_on_hold(struct hold *hold, struct decision *decision,
                        const struct hold_settings *set, const char *const *rcpts,
                        size_t rcpt_count, const struct smtp_reply *reply)
{
	PW_AUTO(pw_buf_done) struct pw_buf field = { 0 };
	struct injection what = { .listener = set->listener,
		                  .hello = set->hello,
		                  .origin = &hold->origin,
		                  .mail = hold->mail,
		                  .rcpts = rcpts,
		                  .rcpt_count = rcpt_count,
		                  .message = &hold->spool };

	decision->verdict = HOLD_LATER;
	if (!set->listener[0]) {
		pw_buf_puts(&decision->why, PW_STR("no hold_listener"));
		return;
	}
	inject_put_refusal(&field, reply->code, pw_str_from(reply->enhanced),
	                   pw_buf_str(&reply->text));
	what.field = pw_buf_str(&field);
	if (hold->inject_until_ms == 0)
		hold->inject_until_ms = pw_clock_mono_ms() + INJECT_MS;
	if ((decision->status = pw_buf_status(&field)) == PW_OK)
		decision->status =
			inject_send(&what, &decision->why, hold->inject_until_ms);
	if (decision->status == PW_OK)
		decision->verdict = HOLD_HELD;
}

static void decide(struct hold *hold, struct decision *decision,
                   const struct hold_settings *set, const char *const *rcpts,
                   size_t rcpt_count, const struct smtp_reply *reply)
{
	decision->verdict = HOLD_LATER;
	if ((decision->status = hold->status) != PW_OK)
		return;
	if ((decision->spf = harmless(hold)) != NULL) {
		decision->verdict = HOLD_PASS;
		return;
	}
	if (!hold->has_asked)
		hold->asked = ask_spf(hold, set, &hold->spf);
	hold->has_asked = true;
	if ((decision->status = hold->asked) != PW_OK)
		return;
	decision->spf = pw_spf_result_text(hold->spf);
	if (hold->spf == PW_SPF_PASS)
		decision->verdict = HOLD_PASS;
	else if (hold->spf != PW_SPF_TEMPERROR) /* then: asked again with the next try */
		put_on_hold(hold, decision, set, rcpts, rcpt_count, reply);
}

static void tell(const struct hold *hold, const struct decision *decision,
                 const char *queue_id, const char *const *rcpts, size_t rcpt_count,
                 const struct smtp_reply *reply)
{
	static const struct {
		const char *action;
		enum pw_log_level level;
		size_t counter;
	} kinds[] = {
		[HOLD_PASS] = { "bounce", PW_LOG_INFO, COUNT_bounced },
		[HOLD_HELD] = { "hold", PW_LOG_WARNING, COUNT_held },
		[HOLD_LATER] = { "defer", PW_LOG_WARNING, COUNT_hold_failed },
	};
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };
	struct pw_str rcpt = pw_str_from(rcpt_count ? rcpts[0] : "");

	if (rcpt.len >= 2 && rcpt.at[0] == '<' && rcpt.at[rcpt.len - 1] == '>')
		rcpt = pw_str_sub(rcpt, 1, rcpt.len - 2);
	pw_ip_put(&address, hold->origin.address);
	pw_count(&counters, kinds[decision->verdict].counter, 1);
	pw_log(kinds[decision->verdict].level, queue_id,
	       PW_KV("action", kinds[decision->verdict].action),
	       decision->verdict == HOLD_LATER ? PW_KV("cause", "hold") : PW_KV_NONE,
	       decision->spf ? PW_KV("spf", decision->spf) : PW_KV_NONE,
	       decision->status != PW_OK
	               ? PW_KV("status", pw_status_text(decision->status))
	               : PW_KV_NONE,
	       decision->why.len ? PW_KV("why", pw_buf_str(&decision->why)) : PW_KV_NONE,
	       hold->has_origin
	               ? PW_KV_PEER("client", hold->origin.name, pw_buf_str(&address))
	               : PW_KV_NONE,
	       PW_KV_ADDR("from", sender_of(hold)), PW_KV_ADDR("rcpt", rcpt),
	       PW_KV_INT("recipients", rcpt_count), PW_KV_INT("code", reply->code),
	       PW_KV("enhanced", reply->enhanced),
	       PW_KV("text", pw_buf_str(&reply->text)), PW_KV_END);
}

enum hold_verdict hold_commit(struct hold *hold, const struct hold_settings *set,
                              const char *queue_id, const char *const *rcpts,
                              size_t rcpt_count, const struct smtp_reply *reply)
{
	struct decision decision = { .verdict = HOLD_LATER };

	decide(hold, &decision, set, rcpts, rcpt_count, reply);
	tell(hold, &decision, queue_id, rcpts, rcpt_count, reply);
	pw_buf_done(&decision.why);
	return decision.verdict;
}

bool hold_is_due(const struct hold_settings *set, int64_t at_ms, int64_t now_ms)
{
	return at_ms > 0 && now_ms - at_ms > set->after_ms;
}
