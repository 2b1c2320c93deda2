#include "origin/live/answer.h"

#include "io/log.h"
#include "kit/reply.h"
#include "origin/counters.h"

/* The one place where an error becomes an SMTP answer: whatever it was, the client comes
 * back. */
static sfsistat give_up(struct kit_session *s, enum pw_status status)
{
	return kit_say(s, 451, record_enhanced(status), PW_STR(RECORD_LATER));
}

/* The upstream engine failed: log it once, with what the inner said if it said anything.
 */
static sfsistat defer(struct kit_session *s, const char *stage)
{
	const struct session *own = s->own;
	const struct upstream_failure *why = upstream_failure(own->up);
	struct record about = session_record(s);

	record_defer(&about, stage, why, upstream_reply(own->up),
	             outgoing_id(own->outgoing));
	return give_up(s, why->status);
}

/* The inner's own words for the client. */
static sfsistat refuse(struct kit_session *s, const char *stage, const char *rcpt)
{
	const struct session *own = s->own;
	const struct smtp_reply *reply = upstream_reply(own->up);
	struct record about = session_record(s);

	record_refuse(&about, stage, rcpt, reply);
	return kit_say(s, reply->code, reply->enhanced, pw_buf_str(&reply->text));
}

sfsistat answer_verdict(struct kit_session *s, enum upstream_verdict verdict,
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

sfsistat answer_withhold(struct kit_session *s, const char *why)
{
	struct record about = session_record(s);

	record_withhold(&about, why);
	return kit_say(s, 451, "4.7.0", PW_STR(RECORD_WITHHELD));
}

sfsistat answer_broken(struct kit_session *s, const char *stage, enum pw_status status)
{
	struct record about = session_record(s);

	record_broken(&about, stage, status);
	if (status == PW_ERR_LIMIT)
		return kit_say(s, 452, "4.3.1", PW_STR("Insufficient system storage"));
	return give_up(s, status);
}

sfsistat answer_unknown(struct kit_session *s, const char *rcpt)
{
	const struct session *own = s->own;

	pw_log(PW_LOG_INFO, kit_id(s), PW_KV("action", "defer"),
	       PW_KV("cause", "unknown"), PW_KV("stage", "rcpt"),
	       PW_KV_PEER("client", own->origin.name, own->address),
	       PW_KV_ADDR("from", pw_buf_str(&own->sender)),
	       PW_KV_ADDR("rcpt", record_bare(rcpt)), PW_KV_END);
	return give_up(s, PW_ERR_AWAY);
}
