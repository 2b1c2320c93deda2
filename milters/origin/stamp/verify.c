#include "origin/stamp/verify.h"

#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "io/clock.h"
#include "io/log.h"
#include "kit/reply.h"
#include "origin/counters.h"
#include "origin/daemon.h"
#include "origin/record.h"
#include "origin/settings.h"
#include "origin/stamp/accept.h"
#include "origin/stamp/examined.h"

#define NEW_FIELDS 3
/* Below the Received of our own Postfix, which hides what is above that from the milters
 * behind us. */
#define INDEX_FIRST_SHOWN 1

struct session {
	const struct kit_held *held;
	struct pw_buf address; /* the peer's, as text */
	bool is_trusted;       /* the peer is an edge of ours */
	struct examined message;
};

static struct daemon *daemon_of(const struct kit_session *s)
{
	return s->daemon->user;
}

static struct inner *inner_of(const struct kit_session *s)
{
	return daemon_of(s)->inner;
}

static const struct settings *settings_of(const struct session *own)
{
	return own->held->set;
}

static const struct derived *derived_of(const struct session *own)
{
	return own->held->derived;
}

static int64_t now_s(void)
{
	return pw_clock_wall_ms() / 1000;
}

/* Callbacks up to the end of the message. */

static enum pw_status on_open(struct kit_session *s)
{
	struct session *own = calloc(1, sizeof(*own));

	if (!own)
		return PW_ERR_NOMEM;
	s->own = own;
	own->held = kit_live_get(daemon_of(s)->live);
	return examined_init(&own->message);
}

static void on_close(struct kit_session *s)
{
	struct session *own = s->own;

	if (!own)
		return;
	examined_done(&own->message);
	pw_buf_done(&own->address);
	kit_live_put(daemon_of(s)->live, &own->held);
	free(own);
	s->own = NULL;
}

/* After XCLIENT Postfix begins anew with the client it was told of: that one is nobody's
 * edge. */
static sfsistat on_connect(struct kit_session *s, const char *name)
{
	struct session *own = s->own;

	(void)name;
	own->is_trusted = pw_nets_contain(&derived_of(own)->edges, s->client);
	pw_buf_reset(&own->address);
	pw_ip_put(&own->address, s->client);
	return SMFIS_CONTINUE;
}

static sfsistat on_mail(struct kit_session *s, char **argv)
{
	struct session *own = s->own;

	examined_sender(&own->message, record_bare(argv[0]));
	return SMFIS_CONTINUE;
}

static sfsistat on_rcpt(struct kit_session *s, char **argv)
{
	struct session *own = s->own;

	examined_recipient(&own->message, pw_str_from(argv[0]));
	return SMFIS_CONTINUE;
}

static sfsistat on_header(struct kit_session *s, struct pw_str name, struct pw_str value)
{
	struct session *own = s->own;

	examined_field(&own->message, name, value, own->is_trusted,
	               &derived_of(own)->keys, now_s());
	return SMFIS_CONTINUE;
}

static sfsistat on_body(struct kit_session *s, struct pw_str chunk)
{
	struct session *own = s->own;

	examined_body(&own->message, chunk);
	return SMFIS_CONTINUE;
}

static void on_reset(struct kit_session *s)
{
	struct session *own = s->own;

	examined_reset(&own->message);
}

/* The decision. */

static struct accept_plan decide(struct kit_session *s)
{
	struct session *own = s->own;
	struct examined *m = &own->message;
	struct accept_facts facts = { .is_trusted = own->is_trusted,
		                      .stamps = m->stamps,
		                      .is_first = m->is_first,
		                      .stamp = m->verdict,
		                      .patience_ms =
		                              settings_of(own)->stamp_patience_ms };
	const struct pw_str *recipients;
	struct accept_plan plan;
	size_t count;

	if (m->stamp && m->verdict == PW_STAMP_GOOD) {
		facts.is_sender = examined_is_sender(m);
		facts.is_recipients = examined_is_recipients(m);
		facts.is_digest = examined_is_digest(m);
	}
	plan = accept_decide(&facts);
	if (plan.action == ACCEPT_ASK_REPLAY) {
		recipients = examined_recipients(m, &count);
		facts.is_replay_known = true;
		facts.replay = replay_check(inner_of(s)->replay, m->stamp, recipients,
		                            count, now_s());
	} else if (plan.action == ACCEPT_DEFER) {
		facts.failing_ms =
			patience_ms(inner_of(s)->patience, m->value, pw_clock_mono_ms());
	}
	return accept_decide(&facts);
}

/* What is told. */

static void count(const struct accept_plan *plan)
{
	static const int ids[] = {
		[ACCEPT_PASS] = -1,
		[ACCEPT_STRIP] = COUNT_stamp_stripped,
		[ACCEPT_ASK_REPLAY] = -1,
		[ACCEPT_ORIGIN] = COUNT_stamp_accepted,
		[ACCEPT_RETRY] = COUNT_stamp_retried,
		[ACCEPT_DEFER] = COUNT_stamp_deferred,
		[ACCEPT_HOLD] = COUNT_stamp_held,
		[ACCEPT_REJECT] = COUNT_stamp_rejected,
	};

	if (ids[plan->action] >= 0)
		pw_count(&counters, (size_t)ids[plan->action], 1);
}

/* Facts of a stamp whose MAC is right are told; of others nobody knows who wrote them. */
static const struct pw_stamp_facts *known_facts(const struct examined *m)
{
	static const struct pw_stamp_facts none;

	if (m->stamp && m->stamp->key &&
	    (m->verdict == PW_STAMP_GOOD || m->verdict == PW_STAMP_BAD_TIME))
		return &m->stamp->facts;
	return &none;
}

static void log_decision(const struct kit_session *s, const struct accept_plan *plan,
                         enum pw_log_level level)
{
	const struct session *own = s->own;
	const struct examined *m = &own->message;
	const struct pw_stamp_facts *facts = known_facts(m);
	PW_AUTO(pw_buf_done) struct pw_buf client = { 0 };
	bool is_known = facts->at_s != 0;
	size_t recipients;

	(void)examined_recipients(m, &recipients);
	pw_ip_put(&client, facts->origin.address);
	pw_log(level, kit_id(s), PW_KV("action", accept_action_text(plan->action)),
	       plan->why[0] ? PW_KV("why", plan->why) : PW_KV_NONE,
	       PW_KV("peer", pw_buf_str(&own->address)),
	       is_known ? PW_KV_PEER("client", facts->origin.name, pw_buf_str(&client))
	                : PW_KV_NONE,
	       is_known ? PW_KV("edge", facts->edge) : PW_KV_NONE,
	       is_known ? PW_KV("edge_id", facts->queue_id) : PW_KV_NONE,
	       PW_KV_ADDR("from", m->sender), PW_KV_INT("recipients", recipients),
	       is_known ? PW_KV_INT("skew_s", facts->at_s - now_s()) : PW_KV_NONE,
	       PW_KV_END);
}

/* Every message of an edge has its line; what anybody can cause has one a minute, and so
 * have alarms, which say that somebody has to do something. */
static void tell(const struct kit_session *s, const struct accept_plan *plan)
{
	const struct session *own = s->own;
	bool is_failure = plan->action >= ACCEPT_DEFER;
	int64_t silent = 0;

	count(plan);
	if (own->is_trusted)
		log_decision(s, plan, is_failure ? PW_LOG_WARNING : PW_LOG_INFO);
	if ((is_failure || plan->action == ACCEPT_STRIP) &&
	    alarms_due(&inner_of(s)->alarms, plan->why, pw_clock_mono_ms(), &silent))
		pw_log(is_failure ? PW_LOG_ERROR : PW_LOG_WARNING, kit_id(s),
		       PW_KV("event", is_failure ? "stamp_alarm" : "stamp_forged"),
		       PW_KV("why", plan->why), PW_KV("peer", pw_buf_str(&own->address)),
		       PW_KV_INT("more", silent), PW_KV_END);
}

/* The one place where an error becomes an SMTP answer. */
static sfsistat give_up(struct kit_session *s, enum pw_status r)
{
	pw_log(PW_LOG_ERROR, kit_id(s), PW_KV("action", "defer"), PW_KV("cause", "local"),
	       PW_KV("status", pw_status_text(r)), PW_KV_END);
	return kit_say(s, 451, "4.3.0",
	               PW_STR("Message cannot be examined now, try later"));
}

/* What is done. */

static sfsistat pass(struct kit_session *s)
{
	const struct session *own = s->own;
	enum pw_status r = strip_apply(&own->message.strip, s, NULL, 0);

	return r == PW_OK ? SMFIS_CONTINUE : give_up(s, r);
}

static size_t new_fields(struct kit_edit *out, const struct examined *m,
                         const char *client, const char *transaction, bool is_retry)
{
	const struct kit_edit insert = { .kind = KIT_INSERT, .index = INDEX_FIRST_SHOWN };
	size_t count = 0;

	out[count] = insert;
	out[count].name = PW_CLIENT_FIELD;
	out[count++].value = client;
	if (!(m->marks & EXAMINED_TRANSACTION)) {
		out[count] = insert;
		out[count].name = "Postward-Transaction";
		out[count++].value = transaction;
	}
	if (is_retry && !(m->marks & EXAMINED_RETRY)) {
		out[count] = insert;
		out[count].name = "Postward-Retry";
		out[count++].value = "yes";
	}
	return count;
}

/* The stamp's client, for who reads the message behind us; and what Sieve needs to drop a
 * second copy. */
static sfsistat believe(struct kit_session *s, bool is_retry)
{
	const struct session *own = s->own;
	const struct examined *m = &own->message;
	PW_AUTO(pw_buf_done) struct pw_buf client = { 0 }, transaction = { 0 };
	struct kit_edit edits[NEW_FIELDS];
	enum pw_status r = pw_client_build(&client, &m->stamp->facts);

	pw_base64_put(&transaction, PW_BASE64_URL, m->stamp->nonce, PW_STAMP_NONCE);
	if (r == PW_OK)
		r = pw_buf_status(&transaction);
	if (r == PW_OK)
		r = strip_apply(&m->strip, s, edits,
		                new_fields(edits, m, pw_buf_text(&client),
		                           pw_buf_text(&transaction), is_retry));
	return r == PW_OK ? SMFIS_CONTINUE : give_up(s, r);
}

static sfsistat hold(struct kit_session *s, const char *why)
{
	char reason[64] = "origin stamp: ";

	strncat(reason, why, sizeof(reason) - strlen(reason) - 1);
	if (smfi_quarantine(s->ctx, reason) != MI_SUCCESS)
		return give_up(s, PW_ERR_IO);
	return pass(s);
}

static sfsistat carry_out(struct kit_session *s, const struct accept_plan *plan)
{
	switch (plan->action) {
	case ACCEPT_PASS:
	case ACCEPT_STRIP:
		return pass(s);
	case ACCEPT_ORIGIN:
	case ACCEPT_RETRY:
		return believe(s, plan->action == ACCEPT_RETRY);
	case ACCEPT_HOLD:
		return hold(s, plan->why);
	case ACCEPT_REJECT:
		return kit_say(s, 550, "5.7.1",
		               PW_STR("This stamp has been here with another message"));
	case ACCEPT_DEFER:
	case ACCEPT_ASK_REPLAY:
	default:
		return kit_say(s, 451, "4.7.1",
		               PW_STR("Origin of this message cannot be believed now"));
	}
}

/* `postwardctl edge check` wants to know, not to send mail. */
static sfsistat answer_check(struct kit_session *s, const struct accept_plan *plan)
{
	const struct session *own = s->own;
	const struct pw_stamp_facts *facts = known_facts(&own->message);
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	bool is_good = plan->action == ACCEPT_ORIGIN || plan->action == ACCEPT_RETRY;

	pw_buf_printf(&text, "postward stamp=");
	for (const char *p = is_good ? "ok" : plan->why; *p; p++)
		pw_buf_putc(&text, *p == ' ' ? '_' : *p);
	if (facts->at_s)
		pw_buf_printf(&text, ", skew_s=%lld", (long long)(facts->at_s - now_s()));
	return kit_say(s, 550, "5.7.0", pw_buf_str(&text));
}

static sfsistat on_eom(struct kit_session *s)
{
	struct session *own = s->own;
	struct accept_plan plan;

	if (own->message.failure == PW_OK)
		plan = decide(s);
	if (own->message.failure != PW_OK)
		return give_up(s, own->message.failure);
	tell(s, &plan);
	if (own->message.marks & EXAMINED_CHECK)
		return answer_check(s, &plan);
	return carry_out(s, &plan);
}

void verify_describe(struct kit_daemon *kit)
{
	kit->calls = (struct kit_calls){
		.open = on_open,
		.connect = on_connect,
		.mail = on_mail,
		.rcpt = on_rcpt,
		.header = on_header,
		.body = on_body,
		.eom = on_eom,
		.reset = on_reset,
		.close = on_close,
	};
	kit->actions = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE;
	kit->macros[KIT_MAIL] = "i";
	kit->macros[KIT_EOM] = "i";
}
