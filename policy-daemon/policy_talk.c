#include <stdlib.h>

#include "io/clock.h"
#include "io/log.h"
#include "policyd/daemon.h"
#include "policyd/text.h"

struct session {
	struct decide_session message;
	size_t scanned; /* of the request that is arriving */
};

static void *talk_open(void *arg, struct pw_buf *out)
{
	(void)arg;
	(void)out;
	return calloc(1, sizeof(struct session));
}

static void talk_close(void *arg, void *session)
{
	struct daemon *daemon = arg;
	struct session *s = session;

	pw_count(&numbers, NUMBER_refunded, decide_forget(&daemon->world, &s->message));
	decide_session_done(&daemon->world, &s->message);
	free(s);
}

/* Names in the order of enum decide_verdict. */
static const char *const verdict_names[] = { "dunno", "defer", "reject", "hold" };

/* One line per decision that is not DUNNO; a breach in dry run is worth one too. */
static void log_decision(const struct decision *decision, const struct request *request)
{
	PW_AUTO(pw_buf_done) struct pw_buf id = { 0 };
	const struct decide_breach *dry = &decision->dry_run;
	const struct decide_breach *breach =
		decision->breach.rule != NULL ? &decision->breach : dry;
	bool is_dry = decision->verdict == DECIDE_DUNNO;

	if (is_dry && dry->rule == NULL)
		return;
	pw_buf_puts(&id, request->queue_id);
	pw_log(PW_LOG_INFO, id.len > 0 ? pw_buf_text(&id) : NULL,
	       PW_KV("action", verdict_names[decision->verdict]),
	       PW_KV("cause", is_dry ? "rate" : decide_cause_name(decision->cause)),
	       is_dry ? PW_KV("dry_run", "yes") : PW_KV_NONE,
	       PW_KV_PEER("client", request->client_name, request->client_address),
	       request->login.len > 0 ? PW_KV("login", request->login) : PW_KV_NONE,
	       PW_KV_ADDR("from", request->sender),
	       request->recipient.len > 0 ? PW_KV_ADDR("rcpt", request->recipient)
	                                  : PW_KV_NONE,
	       breach->rule != NULL ? PW_KV_INT("rule", breach->rule->id) : PW_KV_NONE,
	       breach->rule != NULL ? PW_KV("who", breach->who) : PW_KV_NONE,
	       breach->rule != NULL || decision->cause == CAUSE_BLOCKED
	               ? PW_KV_INT("retry_s", (breach->retry_after_us + 999999) / 1000000)
	               : PW_KV_NONE,
	       decision->row != 0 ? PW_KV_INT("row", decision->row) : PW_KV_NONE,
	       decision->cause == CAUSE_GREYLIST
	               ? PW_KV_INT("retry_s", (decision->grey.wait_ms + 999) / 1000)
	               : PW_KV_NONE,
	       decision->reason.len > 0 ? PW_KV("reason", decision->reason) : PW_KV_NONE,
	       decision->cause == CAUSE_FAULT
	               ? PW_KV("why", pw_status_text(decision->status))
	               : PW_KV_NONE,
	       PW_KV_END);
}

static const char *const warnings[] = {
	[WARN_NO_COMMIT] =
		"asked at RCPT but never at the commit stage: limits count nothing; "
		"add the policy service to smtpd_end_of_data_restrictions too, or set "
		"commit_stage = rcpt",
	[WARN_NO_RCPT] =
		"asked at the commit stage but never at RCPT: quotas are not checked and "
		"whole messages are refused; add the policy service to "
		"smtpd_recipient_restrictions",
	[WARN_NO_SIZE] =
		"a limit counts bytes, but messages are committed before their size is "
		"known: set commit_stage = end-of-message",
};

/* Stages in the order of the counters. */
static size_t stage_place(enum request_stage stage)
{
	switch (stage) {
	case STAGE_MAIL:
		return 1;
	case STAGE_RCPT:
		return 2;
	case STAGE_DATA:
		return 3;
	case STAGE_END_OF_MESSAGE:
		return 4;
	case STAGE_OTHER:
	case STAGE_CONNECT:
	case STAGE_EHLO:
	case STAGE_HELO:
	case STAGE_VRFY:
	case STAGE_ETRN:
	case STAGE_IDS:
		break;
	}
	return 0;
}

static void count(const struct decision *decision, const struct request *request)
{
	pw_count(&numbers, NUMBER_dunno + (size_t)decision->cause, 1);
	pw_count(&numbers,
	         NUMBER_other_dunno + stage_place(request->stage) * 4 +
	                 (size_t)decision->verdict,
	         1);
	pw_count(&numbers, NUMBER_dry_run, decision->dry_run.rule != NULL);
	pw_count(&numbers, NUMBER_over_limit,
	         decision->breach.rule != NULL || decision->dry_run.rule != NULL);
}

static void tell(struct daemon *daemon, const struct decision *decision,
                 const struct request *request)
{
	count(decision, request);
	log_decision(decision, request);
	limit_talk_tell(daemon, decision, request);
	if (decision->warning != WARN_NONE)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "wrong_stage"),
		       PW_KV("port", request->server_port),
		       PW_KV("why", warnings[decision->warning]), PW_KV_END);
}

/* Just after the start a question waits for the first data rather than being deferred,
 * and for the counters rather than being counted without them. */
static bool must_wait(const struct daemon *daemon)
{
	return (daemon->world.catalog == NULL || !daemon->has_link) &&
	       pw_clock_mono_ms() - daemon->started_ms <
	               daemon->settings->answer_deadline_ms;
}

/* Looked at once a millisecond: it takes locks, and a question takes microseconds. */
static void look_at_clocks(struct daemon *daemon, int64_t now_us)
{
	struct decide_world *world = &daemon->world;

	if (now_us / 1000 == daemon->looked_ms)
		return;
	daemon->looked_ms = now_us / 1000;
	world->is_fresh = database_is_fresh(daemon->database);
	world->now_wall_ms = pw_clock_wall_ms();
}

static ssize_t talk_eat(void *arg, void *session, struct pw_str bytes, struct pw_buf *out)
{
	struct daemon *daemon = arg;
	struct session *s = session;
	struct decision decision;
	struct request request;
	int64_t now_us;

	if (!request_is_whole(bytes, &s->scanned))
		return SERVER_MORE;
	s->scanned = 0;
	if (must_wait(daemon))
		return SERVER_HOLD;
	if (request_parse(&request, bytes) != PW_OK)
		return SERVER_CLOSE;
	now_us = daemon_now_us();
	look_at_clocks(daemon, now_us);
	decide(&decision, &daemon->world, &s->message, &request, now_us);
	access_store(daemon, &decision);
	if (decision.verdict == DECIDE_WAIT)
		return SERVER_HOLD;
	tell(daemon, &decision, &request);
	access_answered(daemon, &decision, &request);
	if (text_answer(out, &decision, &request, daemon->world.now_wall_ms) != PW_OK)
		return SERVER_CLOSE;
	return (ssize_t)request.length;
}

const struct server_protocol policy_protocol = {
	.input_max = REQUEST_BYTES_MAX,
	.open = talk_open,
	.eat = talk_eat,
	.close = talk_close,
	.name = "policy",
};
