#include "origin/live/milter.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/canon.h"
#include "io/clock.h"
#include "io/log.h"
#include "kit/client.h"
#include "kit/reply.h"
#include "origin/counters.h"
#include "origin/engine/trace.h"
#include "origin/engine/upstream.h"
#include "origin/settings.h"

#define SESSION_BYTES ((size_t)64 * 1024) /* what is learnt once: names, TLS, login */

/* One client. What is about the message is in the second half: on_reset clears it. */
struct session {
	const struct kit_held *held;
	const struct settings *set;
	const struct derived *derived;
	struct pw_arena *arena;
	struct pw_origin origin;
	struct pw_str address;  /* the client's, as text */
	enum pw_status failure; /* origin is not whole: the session takes no mail */
	struct upstream *up;

	struct pw_buf helo, sender;
	struct message {
		int64_t recipients, bytes, started_ms;
		bool has_trace;
	} message;
	struct pw_buf field;
};

static struct kit_live *live_of(const struct kit_session *s)
{
	return s->daemon->user;
}

/* Answers. */

/* The one place where an error becomes an SMTP answer: whatever it was, the client comes
 * back. */
static sfsistat give_up(struct kit_session *s, enum pw_status status)
{
	const char *enhanced = status == PW_ERR_TIMEOUT ? "4.4.2"
	                       : status == PW_ERR_AWAY  ? "4.4.1"
	                                                : "4.3.0";

	return kit_say(s, 451, enhanced,
	               PW_STR("Mail server cannot be reached now, try later"));
}

/* The upstream engine failed: log it once, with what the inner said if it said anything.
 */
static sfsistat defer(struct kit_session *s, const char *stage)
{
	const struct session *own = s->own;
	const struct upstream_failure *why = upstream_failure(own->up);
	const struct smtp_reply *reply = upstream_reply(own->up);

	pw_count(&counters, COUNT_failures, 1);
	pw_count(&counters, COUNT_in_doubt, why->in_doubt);
	pw_log(why->in_doubt ? PW_LOG_ERROR : PW_LOG_WARNING, kit_id(s),
	       PW_KV("action", "defer"),
	       PW_KV("cause", why->in_doubt ? "in_doubt" : why->step),
	       PW_KV("stage", stage), PW_KV("status", pw_status_text(why->status)),
	       PW_KV_PEER("client", own->origin.name, own->address),
	       PW_KV_ADDR("from", pw_buf_str(&own->sender)),
	       reply->code ? PW_KV_INT("code", reply->code) : PW_KV_NONE,
	       reply->code ? PW_KV("text", pw_buf_str(&reply->text)) : PW_KV_NONE,
	       PW_KV_END);
	return give_up(s, why->status);
}

/* "<a@b>" as the log wants it. */
static struct pw_str bare(const char *address)
{
	struct pw_str text = pw_str_from(address);

	if (text.len >= 2 && text.at[0] == '<' && text.at[text.len - 1] == '>')
		return pw_str_sub(text, 1, text.len - 2);
	return text;
}

/* The inner's own words for the client. */
static sfsistat refuse(struct kit_session *s, const char *stage, const char *rcpt)
{
	const struct session *own = s->own;
	const struct smtp_reply *reply = upstream_reply(own->up);

	pw_log(PW_LOG_INFO, kit_id(s), PW_KV("action", "refuse"), PW_KV("stage", stage),
	       PW_KV_INT("code", reply->code), PW_KV("enhanced", reply->enhanced),
	       PW_KV_PEER("client", own->origin.name, own->address),
	       PW_KV_ADDR("from", pw_buf_str(&own->sender)),
	       rcpt ? PW_KV_ADDR("rcpt", bare(rcpt)) : PW_KV_NONE,
	       PW_KV("text", pw_buf_str(&reply->text)), PW_KV_END);
	return kit_say(s, reply->code, reply->enhanced, pw_buf_str(&reply->text));
}

static sfsistat answer(struct kit_session *s, enum upstream_verdict verdict,
                       const char *stage, const char *rcpt)
{
	switch (verdict) {
	case UPSTREAM_OK:
		return SMFIS_CONTINUE;
	case UPSTREAM_REFUSED:
		return refuse(s, stage, rcpt);
	case UPSTREAM_FAILED:
	default:
		return defer(s, stage);
	}
}

/* The client's origin. */

static void remember(struct session *own, enum pw_status r)
{
	if (own->failure == PW_OK)
		own->failure = r;
}

/* A macro's value for the life of the session; empty if Postfix does not say. */
static struct pw_str keep(struct kit_session *s, const char *macro)
{
	struct session *own = s->own;
	struct pw_str copy = { NULL, 0 };

	remember(own, pw_arena_copy(own->arena, pw_str_from(kit_macro(s, macro)), &copy));
	return copy;
}

/* Into a buffer that is used again and again: a client may say HELO and MAIL as often as
 * it likes. */
static struct pw_str keep_latest(struct pw_buf *buf, struct pw_str value)
{
	pw_buf_reset(buf);
	pw_buf_puts(buf, value);
	return pw_buf_str(buf);
}

/* STARTTLS and AUTH come after connect, and not before the first MAIL. */
static void learn_security(struct kit_session *s)
{
	struct session *own = s->own;
	struct pw_origin *origin = &own->origin;

	if (origin->tls_version.len == 0) {
		origin->tls_version = keep(s, "{tls_version}");
		origin->tls_cipher = keep(s, "{cipher}");
	}
	if (own->set->send_login && origin->login.len == 0)
		origin->login = keep(s, "{auth_authen}");
}

static sfsistat withhold(struct kit_session *s, const char *why)
{
	const struct session *own = s->own;

	pw_count(&counters, COUNT_withheld, 1);
	pw_log(PW_LOG_WARNING, kit_id(s), PW_KV("action", "defer"),
	       PW_KV("cause", "origin"), PW_KV("why", why),
	       PW_KV_PEER("client", own->origin.name, own->address),
	       PW_KV_ADDR("from", pw_buf_str(&own->sender)), PW_KV_END);
	return kit_say(s, 451, "4.7.0",
	               PW_STR("Your address cannot be passed on, try later"));
}

/* Callbacks. */

static enum pw_status on_open(struct kit_session *s)
{
	struct session *own = calloc(1, sizeof(*own));
	enum pw_status r;

	if (!own)
		return PW_ERR_NOMEM;
	s->own = own;
	own->held = kit_live_get(live_of(s));
	own->set = own->held->set;
	own->derived = own->held->derived;
	if ((r = pw_arena_new(&own->arena, SESSION_BYTES)) != PW_OK)
		return r;
	return upstream_new(&own->up, &own->derived->target);
}

static void on_close(struct kit_session *s)
{
	struct session *own = s->own;

	if (!own)
		return;
	upstream_free(&own->up);
	pw_arena_free(&own->arena);
	pw_buf_done(&own->field);
	pw_buf_done(&own->helo);
	pw_buf_done(&own->sender);
	kit_live_put(live_of(s), &own->held);
	free(own);
	s->own = NULL;
}

static sfsistat on_connect(struct kit_session *s, const char *name)
{
	struct session *own = s->own;

	remember(own, kit_client(s, own->arena, &own->origin));
	(void)name; /* {client_name} says the same, and whether it is true */
	/* milters are not told; it is what clients speak */
	own->origin.protocol = PW_STR("ESMTP");
	own->origin.at_ms = pw_clock_wall_ms();
	pw_buf_reset(&own->field);
	pw_ip_put(&own->field, s->client);
	remember(own, pw_buf_status(&own->field));
	remember(own, pw_arena_copy(own->arena, pw_buf_str(&own->field), &own->address));
	return SMFIS_CONTINUE;
}

static sfsistat on_helo(struct kit_session *s, const char *name)
{
	struct session *own = s->own;

	own->origin.helo = keep_latest(&own->helo, pw_str_from(name));
	/* Postfix does not wait here. A login, if it counts, is not known yet. */
	if (!own->set->send_login && own->failure == PW_OK &&
	    !gate_objects(&own->derived->gate, &own->origin))
		upstream_hello(own->up, &own->origin);
	return SMFIS_CONTINUE;
}

static sfsistat on_mail(struct kit_session *s, char **argv)
{
	struct session *own = s->own;
	const char *objection;

	own->message = (struct message){ .started_ms = pw_clock_mono_ms() };
	(void)keep_latest(&own->sender, bare(argv[0]));
	learn_security(s);
	if (own->failure != PW_OK)
		return withhold(s, pw_status_text(own->failure));
	if ((objection = gate_objects(&own->derived->gate, &own->origin)) != NULL)
		return withhold(s, objection);
	return answer(s, upstream_mail(own->up, &own->origin, argv), "mail", NULL);
}

static sfsistat on_rcpt(struct kit_session *s, char **argv)
{
	static const size_t counts[] = {
		[UPSTREAM_OK] = COUNT_rcpt_accepted,
		[UPSTREAM_REFUSED] = COUNT_rcpt_refused,
		[UPSTREAM_FAILED] = COUNT_rcpt_failed,
	};
	struct session *own = s->own;
	enum upstream_verdict verdict = upstream_rcpt(own->up, argv);

	pw_count(&counters, counts[verdict], 1);
	own->message.recipients += verdict == UPSTREAM_OK;
	return answer(s, verdict, "rcpt", argv[0]);
}

/* Postfix does not wait here either: the inner's reply is there when the message is. */
static sfsistat on_data(struct kit_session *s)
{
	struct session *own = s->own;

	upstream_data(own->up);
	return SMFIS_CONTINUE;
}

static void pass_on(struct session *own, struct pw_str bytes)
{
	own->message.bytes += (int64_t)bytes.len;
	upstream_write(own->up, bytes);
}

static void put_trace_once(struct kit_session *s)
{
	struct session *own = s->own;

	if (own->message.has_trace)
		return;
	own->message.has_trace = true;
	trace_put(&own->field, &own->origin, pw_str_from(own->derived->name),
	          pw_str_from(kit_id(s)), pw_clock_wall_ms() / 1000);
}

static sfsistat on_header(struct kit_session *s, struct pw_str name, struct pw_str value)
{
	struct session *own = s->own;

	pw_buf_reset(&own->field);
	put_trace_once(s);
	pw_canon_header_simple(&own->field, name, value);
	pass_on(own, pw_buf_str(&own->field));
	return SMFIS_CONTINUE;
}

static sfsistat on_eoh(struct kit_session *s)
{
	struct session *own = s->own;

	pw_buf_reset(&own->field);
	put_trace_once(s);
	pw_buf_puts(&own->field, PW_STR("\r\n"));
	pass_on(own, pw_buf_str(&own->field));
	return SMFIS_CONTINUE;
}

static sfsistat on_body(struct kit_session *s, struct pw_str chunk)
{
	pass_on(s->own, chunk);
	return SMFIS_CONTINUE;
}

static void keep_alive(void *user)
{
	struct kit_session *s = user;

	(void)smfi_progress(s->ctx);
}

static void log_relayed(const struct kit_session *s)
{
	const struct session *own = s->own;

	pw_log(PW_LOG_INFO, kit_id(s), PW_KV("action", "relay"),
	       PW_KV("inner_id", smtp_reply_queue_id(upstream_reply(own->up))),
	       PW_KV_PEER("client", own->origin.name, own->address),
	       PW_KV_ADDR("from", pw_buf_str(&own->sender)),
	       PW_KV_INT("recipients", own->message.recipients),
	       PW_KV_INT("bytes", own->message.bytes),
	       PW_KV_INT("ms", pw_clock_mono_ms() - own->message.started_ms), PW_KV_END);
}

/* The inner has taken the message: our own Postfix must forget it. */
static sfsistat on_eom(struct kit_session *s)
{
	static const size_t counts[] = {
		[UPSTREAM_OK] = COUNT_relayed,
		[UPSTREAM_REFUSED] = COUNT_refused,
		[UPSTREAM_FAILED] = COUNT_deferred,
	};
	struct session *own = s->own;
	enum upstream_verdict verdict = upstream_finish(own->up, keep_alive, s);

	pw_count(&counters, counts[verdict], 1);
	if (verdict != UPSTREAM_OK)
		return answer(s, verdict, "dot", NULL);
	log_relayed(s);
	return SMFIS_DISCARD;
}

static void on_reset(struct kit_session *s)
{
	struct session *own = s->own;

	upstream_reset(own->up);
	own->message = (struct message){ 0 };
}

void milter_describe(struct kit_daemon *daemon, struct kit_live *live)
{
	daemon->calls = (struct kit_calls){
		.open = on_open,
		.connect = on_connect,
		.helo = on_helo,
		.mail = on_mail,
		.rcpt = on_rcpt,
		.data = on_data,
		.header = on_header,
		.eoh = on_eoh,
		.body = on_body,
		.eom = on_eom,
		.reset = on_reset,
		.close = on_close,
	};
	daemon->verdicts = KIT_BIT(KIT_MAIL) | KIT_BIT(KIT_RCPT);
	daemon->macros[KIT_CONNECT] = KIT_CLIENT_MACROS;
	daemon->macros[KIT_HELO] = "{tls_version} {cipher}";
	daemon->macros[KIT_MAIL] = "i {auth_authen}";
	daemon->macros[KIT_RCPT] = "i";
	daemon->macros[KIT_DATA] = "i";
	daemon->macros[KIT_EOH] = "i";
	daemon->macros[KIT_EOM] = "i";
	daemon->user = live;
	daemon->reload = kit_live_reload;
	daemon->report = milter_report;
}

void milter_report(void *user)
{
	struct kit_live *live = user;
	const struct kit_held *held = kit_live_get(live);
	const struct settings *set = held->set;

	pw_count_set(&counters, COUNT_sessions, kit_sessions());
	if (pw_counters_write(&counters, set->common.state_directory) != PW_OK)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "counters"),
		       PW_KV("why", "cannot be written"),
		       PW_KV("state_directory", set->common.state_directory), PW_KV_END);
	kit_live_put(live, &held);
}
