#include "origin/live/fall_back.h"

#include "io/clock.h"
#include "io/log.h"
#include "kit/edit.h"
#include "origin/counters.h"
#include "origin/live/answer.h"

#define FORGED_MAX 64 /* fields of one message that are deleted one by one */

static const char *const own_fields[OWN_FIELDS] = {
	[OWN_ORIGIN] = "Postward-Origin",
	[OWN_TRANSACTION] = "Postward-Transaction",
	[OWN_RETRY] = "Postward-Retry",
	[OWN_CLIENT] = "Postward-Client",
};

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
	return SMFIS_CONTINUE;
}

bool fall_back_strip(struct session *own, struct pw_str name)
{
	if (!outgoing_is_ours(name))
		return false;
	for (size_t i = 0; i < OWN_FIELDS; i++)
		own->message.forged[i] +=
			pw_str_eq_nocase(name, pw_str_from(own_fields[i]));
	return true;
}

/* Fields that the client forged go, or the queue's way out would find them. */
static enum pw_status strip(struct kit_session *s)
{
	const struct session *own = s->own;
	struct kit_edit edits[FORGED_MAX];
	size_t count = 0;

	for (size_t i = 0; i < OWN_FIELDS; i++)
		for (int n = 1; n <= own->message.forged[i]; n++) {
			if (count == FORGED_MAX)
				return PW_ERR_LIMIT;
			edits[count++] = (struct kit_edit){ .kind = KIT_DELETE,
				                            .index = n,
				                            .name = own_fields[i] };
		}
	return kit_apply(s, edits, count);
}

sfsistat fall_back_finish(struct kit_session *s)
{
	const struct session *own = s->own;
	enum pw_status r = strip(s);

	if (r != PW_OK) {
		pw_count(&counters, COUNT_deferred, 1);
		return answer_broken(s, "dot", r == PW_ERR_LIMIT ? PW_ERR_IO : r);
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
