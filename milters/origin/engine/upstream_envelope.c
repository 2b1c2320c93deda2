#include "io/clock.h"
#include "origin/counters.h"
#include "origin/engine/envelope.h"
#include "origin/engine/upstream_state.h"

#define ENVELOPE_MAX 16384 /* bytes of commands to say again; more: no replay */

enum upstream_verdict upstream_refuse(struct upstream *up, enum envelope_verdict verdict)
{
	static const struct {
		int code;
		const char *enhanced, *text;
	} replies[] = {
		[ENVELOPE_BAD] = { 501, "5.1.7", "Address cannot be passed on" },
		[ENVELOPE_NO_8BIT] = { 554, "5.6.3", "Server takes no 8-bit messages" },
		[ENVELOPE_NO_UTF8] = { 553, "5.6.7",
		                       "Server takes no internationalised mail" },
		[ENVELOPE_NO_REPORT] = { 555, "5.5.4",
		                         "Server makes no delivery reports" },
		[ENVELOPE_UNKNOWN] = { 555, "5.5.4", "Parameter cannot be passed on" },
		[ENVELOPE_TOO_LONG] = { 552, "5.3.4",
		                        "Message size exceeds fixed limit" },
	};

	smtp_reply_set(&up->client.reply, replies[verdict].code,
	               replies[verdict].enhanced, replies[verdict].text);
	up->client.is_whole = true; /* replies to others may still be on their way */
	return UPSTREAM_REFUSED;
}

void upstream_remember(struct upstream *up, struct pw_str line)
{
	if (up->envelope.len + line.len > ENVELOPE_MAX)
		up->may_replay = false;
	else
		pw_buf_puts(&up->envelope, line);
}

enum pw_status upstream_next_reply(struct upstream *up)
{
	enum pw_status r = smtp_client_receive(&up->client, up->deadline_ms);

	up->heard_ms = pw_clock_mono_ms();
	return r;
}

/* Replies to what went ahead of a command: RSET, MAIL. Reads no further when the session
 * is over; after a refused MAIL the command's own reply (no MAIL, no RCPT) is still to be
 * read. */
static enum upstream_verdict read_ahead(struct upstream *up, bool was_reset)
{
	enum upstream_verdict verdict;
	enum pw_status r;

	if (was_reset &&
	    ((r = upstream_next_reply(up)) != PW_OK || up->client.reply.code != 250))
		return upstream_fail(up, "mail", r != PW_OK ? r : PW_ERR_AWAY);
	if ((r = upstream_next_reply(up)) != PW_OK)
		return upstream_fail(up, "mail", r);
	if ((verdict = upstream_judge(up, "mail")) == UPSTREAM_OK)
		upstream_enter(up, TRANSACTION);
	if (verdict != UPSTREAM_REFUSED)
		return verdict;
	smtp_reply_copy(&up->kept, &up->client.reply);
	up->shown = &up->kept;
	if (up->state != CLOSED)
		upstream_enter(up, UNWANTED);
	return verdict;
}

enum upstream_verdict upstream_send_behind(struct upstream *up, const char *step,
                                           struct pw_str commands)
{
	bool was_named = up->state == NAMED, was_reset = upstream_has_rset(up);
	enum pw_status r;

	pw_buf_puts(&up->unsent, commands);
	if ((r = pw_buf_status(&up->unsent)) == PW_OK)
		r = smtp_client_send(&up->client, pw_buf_str(&up->unsent),
		                     up->deadline_ms);
	pw_buf_reset(&up->unsent);
	if (r != PW_OK)
		return upstream_fail(up, step, r);
	return was_named ? read_ahead(up, was_reset) : UPSTREAM_OK;
}

static enum upstream_verdict say_rcpt(struct upstream *up, struct pw_str line)
{
	enum upstream_verdict verdict = upstream_send_behind(up, "rcpt", line);
	enum pw_status r;

	if (verdict == UPSTREAM_FAILED || up->state == CLOSED)
		return verdict;
	if ((r = upstream_next_reply(up)) != PW_OK)
		return upstream_fail(up, "rcpt", r);
	return verdict == UPSTREAM_OK ? upstream_judge(up, "rcpt") : verdict;
}

/* The envelope as far as it was accepted, in one flight. */
static enum upstream_verdict say_again(struct upstream *up, const char *step)
{
	enum upstream_verdict verdict;
	enum pw_status r;

	pw_buf_reset(&up->unsent);
	pw_buf_puts(&up->unsent, pw_buf_str(&up->envelope));
	upstream_enter(up, NAMED);
	if (up->accepted == 0)
		return pw_buf_status(&up->unsent) == PW_OK
		               ? UPSTREAM_OK
		               : upstream_fail(up, step, PW_ERR_NOMEM);
	if ((verdict = upstream_send_behind(up, step, PW_STR(""))) == UPSTREAM_REFUSED)
		return upstream_fail(up, step, PW_ERR_PROTOCOL);
	for (size_t i = 0; i < up->accepted && verdict == UPSTREAM_OK; i++) {
		if ((r = upstream_next_reply(up)) == PW_OK &&
		    up->client.reply.code / 100 != 2)
			r = PW_ERR_PROTOCOL; /* accepted once, now not */
		if (r != PW_OK)
			verdict = upstream_fail(up, step, r);
	}
	return verdict;
}

enum upstream_verdict upstream_replay(struct upstream *up, const char *step)
{
	enum upstream_verdict verdict;

	if (!up->may_replay || up->has_begun || up->envelope.len == 0)
		return upstream_fail(up, step, PW_ERR_AWAY);
	up->may_replay = false;
	upstream_hang_up(up);
	pw_count(&counters, COUNT_replays, 1);
	if ((verdict = upstream_open(up)) == UPSTREAM_OK)
		verdict = say_again(up, step);
	return verdict;
}

/* With an inner that takes one command after another. */
static enum upstream_verdict say_mail(struct upstream *up, struct pw_str line)
{
	enum upstream_verdict verdict;
	enum pw_status r;

	if (up->state == STALE && ((r = upstream_ask(up, PW_STR("RSET\r\n"))) != PW_OK ||
	                           up->client.reply.code != 250))
		return upstream_fail(up, "mail", r != PW_OK ? r : PW_ERR_AWAY);
	if (up->state == STALE)
		upstream_enter(up, READY);
	if ((r = upstream_ask(up, line)) != PW_OK)
		return upstream_fail(up, "mail", r);
	if ((verdict = upstream_judge(up, "mail")) == UPSTREAM_OK)
		upstream_enter(up, TRANSACTION);
	return verdict;
}

static enum upstream_verdict pass_mail(struct upstream *up, char *const *argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	enum envelope_verdict refusal = envelope_mail(&line, argv, &up->offers);

	if (refusal != ENVELOPE_OK)
		return upstream_refuse(up, refusal);
	if (pw_buf_status(&line) != PW_OK)
		return upstream_fail(up, "mail", PW_ERR_NOMEM);
	if (!(up->offers.words & OFFER_PIPELINING)) {
		up->may_replay = false;
		return say_mail(up, pw_buf_str(&line));
	}
	upstream_remember(up, pw_buf_str(&line));
	if (up->state == STALE)
		pw_buf_puts(&up->unsent, PW_STR("RSET\r\n"));
	pw_buf_puts(&up->unsent, pw_buf_str(&line));
	smtp_reply_reset(&up->client.reply);
	upstream_enter(up, NAMED);
	return UPSTREAM_OK;
}

enum upstream_verdict upstream_mail(struct upstream *up, const struct pw_origin *origin,
                                    char *const *argv)
{
	enum upstream_verdict verdict;
	bool was_open;
	enum pw_status r;

	upstream_begin_command(up);
	upstream_begin_transaction(up);
	if ((r = upstream_identify(up, origin)) != PW_OK)
		return upstream_fail(up, "xclient", r);
	upstream_settle(up);
	if ((was_open = up->state != CLOSED) && upstream_is_lost(up)) {
		upstream_hang_up(up);
		was_open = false;
	}
	if ((up->state == CLOSED || up->state == GREETED) &&
	    (verdict = upstream_open(up)) != UPSTREAM_OK)
		return verdict;
	verdict = pass_mail(up, argv);
	if (verdict != UPSTREAM_FAILED || !was_open || up->failure.status != PW_ERR_AWAY)
		return verdict;
	/* died since it was used last: nothing is lost, once more */
	pw_buf_reset(&up->envelope);
	pw_count(&counters, COUNT_replays, 1);
	return (verdict = upstream_open(up)) == UPSTREAM_OK ? pass_mail(up, argv)
	                                                    : verdict;
}

/* A session that is lost before anything was refused or sent in full: once more. */
static enum upstream_verdict pass_rcpt(struct upstream *up, struct pw_str line)
{
	enum upstream_verdict verdict;

	if (upstream_is_lost(up) &&
	    (verdict = upstream_replay(up, "rcpt")) != UPSTREAM_OK)
		return verdict;
	verdict = say_rcpt(up, line);
	if (verdict != UPSTREAM_FAILED || up->failure.status != PW_ERR_AWAY ||
	    !up->may_replay)
		return verdict;
	return (verdict = upstream_replay(up, "rcpt")) == UPSTREAM_OK ? say_rcpt(up, line)
	                                                              : verdict;
}

enum upstream_verdict upstream_rcpt(struct upstream *up, char *const *argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	enum envelope_verdict refusal;
	enum upstream_verdict verdict;

	upstream_begin_command(up);
	if (up->state == UNWANTED) {
		up->shown = &up->kept;
		return UPSTREAM_REFUSED;
	}
	if (up->state != NAMED && up->state != TRANSACTION && up->state != CLOSED)
		return upstream_fail(up, "rcpt", PW_ERR_STATE);
	if ((refusal = envelope_rcpt(&line, argv, &up->offers)) != ENVELOPE_OK)
		return upstream_refuse(up, refusal);
	if (pw_buf_status(&line) != PW_OK)
		return upstream_fail(up, "rcpt", PW_ERR_NOMEM);
	if ((verdict = pass_rcpt(up, pw_buf_str(&line))) == UPSTREAM_OK) {
		upstream_remember(up, pw_buf_str(&line));
		up->accepted++;
	}
	return verdict;
}
