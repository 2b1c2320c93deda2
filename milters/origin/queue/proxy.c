/* SMTP under smtpd_proxy_filter: the client waits, so every answer is the inner server's,
 * in its own words. */
#include "origin/queue/talk.h"

/* What the client gets for the step just done. */
static void answer(struct talk *t, enum upstream_verdict verdict, const char *stage,
                   const char *rcpt)
{
	const struct smtp_reply *reply = upstream_reply(t->up);
	const struct upstream_failure *failure = upstream_failure(t->up);
	struct record about = talk_record(t);

	if (verdict == UPSTREAM_FAILED) {
		record_defer(&about, stage, failure, reply, PW_STR(""));
		talk_defer(t, failure->status);
		return;
	}
	if (verdict == UPSTREAM_REFUSED)
		record_refuse(&about, stage, rcpt, reply);
	talk_pass(t, reply);
}

/* A stamp takes a whole message to be made, and here nobody waits for that. */
static const char *objection(struct talk *t)
{
	return t->set->carry == CARRY_XCLIENT ? talk_objection(t) : "carry";
}

/* Postfix tells everything in one command if it fits; PROTO comes late. The reply is on
 * its way before the inner server is asked: that takes a while, and MAIL is to come. */
static void on_told(struct talk *t)
{
	if (t->xforward.protocol.len == 0 || objection(t))
		return;
	if (wire_flush(&t->wire) == WIRE_OK)
		upstream_hello(t->up, &t->origin);
}

static void on_mail(struct talk *t)
{
	struct record about;
	enum upstream_verdict verdict;
	const char *why;

	talk_begin(t);
	if ((why = objection(t)) != NULL) {
		about = talk_record(t);
		record_withhold(&about, why);
		talk_say(t, 451, "4.7.0", RECORD_WITHHELD);
		t->has_mail = false;
		return;
	}
	verdict = upstream_mail(t->up, &t->origin, t->command.argv);
	t->has_mail = verdict == UPSTREAM_OK;
	if (t->has_mail) /* MAIL may go out with the first recipient: it has no reply yet
	                  */
		talk_say(t, 250, "2.1.0", "Ok");
	else
		answer(t, verdict, "mail", NULL);
}

static void on_rcpt(struct talk *t)
{
	const char *rcpt = t->command.argv[0];
	enum upstream_verdict verdict = upstream_rcpt(t->up, t->command.argv);

	talk_learn(t, verdict, rcpt);
	answer(t, verdict, "rcpt", rcpt);
}

static void on_data(struct talk *t)
{
	enum upstream_verdict verdict;
	enum pw_status status;

	if (t->letter.recipients == 0) {
		talk_say(t, 554, "5.5.1", "No valid recipients");
		return;
	}
	talk_say(t, 354, "", "End data with <CR><LF>.<CR><LF>");
	t->letter.is_wanted = true;
	if (!talk_read_letter(t)) {
		t->is_over = true;
		return;
	}
	verdict = talk_finish(t, &status);
	if (verdict == UPSTREAM_FAILED)
		talk_defer(t, status != PW_OK ? status : upstream_failure(t->up)->status);
	else
		talk_pass(t, upstream_reply(t->up));
	talk_tell(t, verdict);
	talk_end(t);
}

/* The client is sending: the inner server's 354 can be on its way meanwhile. */
static void on_top(struct talk *t)
{
	upstream_data(t->up);
}

const struct front front_proxy = {
	.name = "proxy",
	.protocol = "ESMTP",
	.hello = COMMAND_EHLO,
	.told = on_told,
	.mail = on_mail,
	.rcpt = on_rcpt,
	.data = on_data,
	.top = on_top,
};
