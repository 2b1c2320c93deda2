#include "origin/live/milter.h"

#include "core/canon.h"
#include "io/clock.h"
#include "kit/client.h"
#include "origin/counters.h"
#include "origin/engine/trace.h"
#include "origin/engine/upstream.h"
#include "origin/live/answer.h"
#include "origin/live/fall_back.h"

#define LONG_WAIT_MS 1000

/* Envelope. */

static sfsistat on_connect(struct kit_session *s, const char *name)
{
	(void)name; /* {client_name} says the same, and whether it is true */
	session_learn_client(s);
	return SMFIS_CONTINUE;
}

static sfsistat on_helo(struct kit_session *s, const char *name)
{
	struct session *own = s->own;

	session_learn_helo(s, name);
	/* Postfix does not wait here. A login, if it counts, is not known yet. */
	if (own->set->carry == CARRY_XCLIENT && !own->set->send_login &&
	    own->failure == PW_OK && !gate_objects(&own->derived->gate, &own->origin))
		upstream_hello(own->up, &own->origin);
	return SMFIS_CONTINUE;
}

/* A stamp is made of what may have to go into the queue, and of all that goes inside with
 * one. It stands above what it vouches for, so the message is kept back. */
static enum pw_status put_stamp(void *user, struct pw_buf *out)
{
	struct kit_session *s = user;
	struct session *own = s->own;
	enum pw_status r;

	pw_buf_puts(out, PW_STR(PW_STAMP_FIELD ": "));
	r = maker_finish(own->maker, out, &own->origin, pw_str_from(kit_id(s)),
	                 pw_clock_wall_ms() / 1000);
	pw_buf_puts(out, PW_STR("\r\n"));
	return r == PW_ERR_LIMIT ? PW_ERR_RANGE : r; /* the disk is not full */
}

/* False: the origin has to go in a stamp, and none can be made. */
static bool begin_stamp(struct kit_session *s)
{
	struct session *own = s->own;
	bool is_needed = own->set->carry == CARRY_STAMP;

	if (own->maker && (is_needed || own->set->fallback == FALLBACK_QUEUE))
		own->message.has_stamp = maker_begin(own->maker, pw_buf_str(&own->sender),
		                                     pw_clock_wall_ms() / 1000) == PW_OK;
	if (is_needed && own->message.has_stamp)
		outgoing_hold_back(own->outgoing, put_stamp, s);
	return !is_needed || own->message.has_stamp;
}

static sfsistat on_mail(struct kit_session *s, char **argv)
{
	struct session *own = s->own;
	bool is_stamped = own->set->carry == CARRY_STAMP;
	enum upstream_verdict verdict;
	const char *objection;

	own->message = (struct message){ .started_ms = pw_clock_mono_ms() };
	session_learn_sender(s, argv[0]);
	outgoing_begin(own->outgoing, pw_buf_str(&own->sender));
	if ((objection = session_objection(own)) != NULL)
		return answer_withhold(s, objection);
	if (!begin_stamp(s))
		return answer_withhold(s, "no key");
	verdict = upstream_mail(own->up, is_stamped ? NULL : &own->origin, argv);
	if (verdict == UPSTREAM_FAILED && fall_back(s, "mail"))
		return SMFIS_CONTINUE;
	return answer_verdict(s, verdict, "mail", NULL);
}

/* The inner server's word on a recipient is remembered for the time when it is away. */
static void learn_recipient(struct session *own, enum upstream_verdict verdict,
                            const char *rcpt)
{
	known_learn(own->fallback->known, pw_str_from(rcpt), verdict,
	            upstream_reply(own->up));
	if (verdict != UPSTREAM_OK)
		return;
	outgoing_rcpt(own->outgoing, pw_str_from(rcpt));
	own->message.recipients++;
	if (own->message.has_stamp)
		maker_recipient(own->maker, pw_str_from(rcpt));
}

static sfsistat on_rcpt(struct kit_session *s, char **argv)
{
	struct session *own = s->own;
	enum upstream_verdict verdict;

	if (own->message.route == ROUTE_QUEUE)
		return fall_back_rcpt(s, argv[0]);
	verdict = upstream_rcpt(own->up, argv);
	if (verdict == UPSTREAM_FAILED && fall_back(s, "rcpt"))
		return fall_back_rcpt(s, argv[0]);
	record_count_recipient(verdict);
	learn_recipient(own, verdict, argv[0]);
	return answer_verdict(s, verdict, "rcpt", argv[0]);
}

/* Only for the queue id, which Postfix tells from here on at the latest. */
static sfsistat on_data(struct kit_session *s)
{
	(void)s;
	return SMFIS_CONTINUE;
}

/* Message. */

static void put_trace_once(struct kit_session *s)
{
	struct session *own = s->own;

	if (own->message.has_trace || own->message.route == ROUTE_QUEUE)
		return;
	own->message.has_trace = true;
	/* the client has sent its final dot: a slow one keeps no DATA open inside */
	upstream_data(own->up);
	pw_buf_reset(&own->field);
	trace_put(&own->field, &own->origin, pw_str_from(own->derived->name),
	          pw_str_from(kit_id(s)), pw_clock_wall_ms() / 1000);
	outgoing_top(own->outgoing, pw_buf_str(&own->field));
}

static sfsistat on_header(struct kit_session *s, struct pw_str name, struct pw_str value)
{
	struct session *own = s->own;

	if (strip_is_ours(name)) {
		strip_see(&own->strip, name, false);
		return SMFIS_CONTINUE;
	}
	put_trace_once(s);
	if (own->message.has_stamp)
		maker_field(own->maker, name, value);
	pw_buf_reset(&own->field);
	pw_canon_header_simple(&own->field, name, value);
	own->message.bytes += (int64_t)own->field.len;
	if (own->message.route == ROUTE_LIVE)
		outgoing_header(own->outgoing, pw_buf_str(&own->field));
	return SMFIS_CONTINUE;
}

static sfsistat on_eoh(struct kit_session *s)
{
	struct session *own = s->own;

	put_trace_once(s);
	own->message.bytes += 2;
	if (own->message.route == ROUTE_LIVE)
		outgoing_header_end(own->outgoing);
	return SMFIS_CONTINUE;
}

static sfsistat on_body(struct kit_session *s, struct pw_str chunk)
{
	struct session *own = s->own;

	own->message.bytes += (int64_t)chunk.len;
	if (own->message.has_stamp)
		maker_body(own->maker, chunk);
	if (own->message.route == ROUTE_LIVE)
		outgoing_body(own->outgoing, chunk);
	return SMFIS_CONTINUE;
}

static void keep_alive(void *user)
{
	struct kit_session *s = user;

	(void)smfi_progress(s->ctx);
}

/* The inner server took its time: is anybody left on our side who will tell the client?
 */
static bool is_heard(struct kit_session *s, int64_t since_ms)
{
	return pw_clock_mono_ms() - since_ms < LONG_WAIT_MS ||
	       smfi_progress(s->ctx) == MI_SUCCESS;
}

/* The inner has taken the message: our own Postfix must forget it. */
static sfsistat relayed(struct kit_session *s)
{
	struct session *own = s->own;
	struct record about = session_record(s);
	bool is_retry = outgoing_is_retry(own->outgoing);

	record_relay(&about, upstream_reply(own->up), own->message.recipients,
	             own->message.bytes, pw_clock_mono_ms() - own->message.started_ms,
	             is_retry ? outgoing_id(own->outgoing) : (struct pw_str){ NULL, 0 });
	return SMFIS_DISCARD;
}

static sfsistat on_eom(struct kit_session *s)
{
	struct session *own = s->own;
	int64_t since_ms = pw_clock_mono_ms();
	enum upstream_verdict verdict;
	enum pw_status r;

	if (own->message.route == ROUTE_QUEUE)
		return fall_back_finish(s);
	verdict = outgoing_finish(own->outgoing, keep_alive, s);
	r = outgoing_status(own->outgoing);
	if (verdict == UPSTREAM_OK && !is_heard(s, since_ms))
		outgoing_unheard(own->outgoing);
	if (verdict == UPSTREAM_FAILED && r == PW_OK && fall_back(s, "dot"))
		return fall_back_finish(s);
	record_count_message(verdict);
	if (r != PW_OK)
		return answer_broken(s, "dot", r);
	return verdict == UPSTREAM_OK ? relayed(s)
	                              : answer_verdict(s, verdict, "dot", NULL);
}

static void on_reset(struct kit_session *s)
{
	struct session *own = s->own;

	outgoing_reset(own->outgoing);
	upstream_reset(own->up);
	strip_reset(&own->strip);
	own->message = (struct message){ 0 };
}

void milter_describe(struct kit_daemon *daemon)
{
	daemon->calls = (struct kit_calls){
		.open = session_open,
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
		.close = session_close,
	};
	daemon->verdicts = KIT_BIT(KIT_MAIL) | KIT_BIT(KIT_RCPT);
	daemon->actions = SMFIF_CHGHDRS | SMFIF_ADDHDRS; /* of what is queued */
	daemon->macros[KIT_CONNECT] = KIT_CLIENT_MACROS;
	daemon->macros[KIT_HELO] = "{tls_version} {cipher}";
	daemon->macros[KIT_MAIL] = "i {auth_authen}";
	daemon->macros[KIT_RCPT] = "i";
	daemon->macros[KIT_DATA] = "i";
	daemon->macros[KIT_EOH] = "i";
	daemon->macros[KIT_EOM] = "i";
}
