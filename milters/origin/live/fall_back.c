#include "origin/live/fall_back.h"

#include "io/clock.h"
#include "io/log.h"
#include "kit/edit.h"
#include "origin/counters.h"
#include "origin/live/answer.h"

bool fall_back(struct kit_session *s, const char *stage)
{
	struct session *own = s->own;
	const struct upstream_failure *why = upstream_failure(own->up);

	if (own->set->fallback != FALLBACK_QUEUE || why->in_doubt ||
	    (why->status != PW_ERR_AWAY && why->status != PW_ERR_TIMEOUT))
		return false;
	pw_count(&counters, COUNT_failures, 1);
	pw_log(PW_LOG_INFO, kit_id(s), PW_KV("event", "fall_back"),
	       PW_KV("cause", why->step), PW_KV("stage", stage),
	       PW_KV("status", pw_status_text(why->status)), PW_KV_END);
	own->message.route = ROUTE_QUEUE;
	return true;
}

/* Only what will be taken inside, as far as anybody can know: what is refused later would
 * have to be bounced. */
sfsistat fall_back_rcpt(struct kit_session *s, const char *rcpt)
{
	struct session *own = s->own;

	if (!own->message.has_login && !known_has(own->fallback->known, pw_str_from(rcpt),
	                                          own->set->recipients_age_ms)) {
		pw_count(&counters, COUNT_rcpt_failed, 1);
		return answer_unknown(s, rcpt);
	}
	pw_count(&counters, COUNT_rcpt_queued, 1);
	own->message.recipients++;
	if (own->message.has_stamp)
		maker_recipient(own->maker, pw_str_from(rcpt));
	return SMFIS_CONTINUE;
}

/* The stamp goes on top, and what the client forged of our fields goes, or the queue's
 * way out would find it. */
static enum pw_status edit(struct kit_session *s)
{
	struct session *own = s->own;
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct kit_edit stamp = { .kind = KIT_INSERT, .name = PW_STAMP_FIELD };
	enum pw_status r;

	if (!own->message.has_stamp)
		return strip_apply(&own->strip, s, NULL, 0);
	if ((r = maker_finish(own->maker, &value, &own->origin, pw_str_from(kit_id(s)),
	                      pw_clock_wall_ms() / 1000)) != PW_OK ||
	    (r = pw_buf_status(&value)) != PW_OK)
		return r;
	stamp.value = pw_buf_text(&value);
	return strip_apply(&own->strip, s, &stamp, 1);
}

sfsistat fall_back_finish(struct kit_session *s)
{
	const struct session *own = s->own;
	enum pw_status r = edit(s);

	if (r != PW_OK) {
		pw_count(&counters, COUNT_deferred, 1);
		/* a limit of the stamp or of forged fields; the disk is not full */
		return answer_broken(s, "dot", r == PW_ERR_LIMIT ? PW_ERR_RANGE : r);
	}
	pw_count(&counters, COUNT_queued, 1);
	pw_log(PW_LOG_INFO, kit_id(s), PW_KV("action", "queue"),
	       PW_KV_PEER("client", own->origin.name, own->address),
	       PW_KV_ADDR("from", pw_buf_str(&own->sender)),
	       PW_KV_INT("recipients", own->message.recipients),
	       PW_KV_INT("bytes", own->message.bytes),
	       PW_KV_INT("ms", pw_clock_mono_ms() - own->message.started_ms), PW_KV_END);
	return SMFIS_CONTINUE;
}
