/* LMTP from the edge Postfix's queue (RFC 2033). MAIL and RCPT are taken unseen; at DATA
 * the inner server is asked, and what it says of each recipient is said after the
 * message. When it is away DATA is refused: nobody sends a message in vain. */
#include <stdlib.h>

#include "io/clock.h"
#include "origin/queue/answer.h"
#include "origin/queue/queued.h"
#include "origin/queue/stamped.h"

static enum pw_status on_open(struct talk *t)
{
	struct queued *q = calloc(1, sizeof(*q));

	if (!q)
		return PW_ERR_NOMEM;
	t->queued = q;
	return recipient_list_new(&q->list);
}

static void on_close(struct talk *t)
{
	struct queued *q = t->queued;

	if (!q)
		return;
	hold_free(&q->hold);
	recipient_list_free(&q->list);
	free(q);
	t->queued = NULL;
}

static void on_reset(struct talk *t)
{
	struct queued *q = t->queued;

	hold_free(&q->hold);
	q->list->count = q->list->accepted = 0;
	q->may_hold = q->is_asked = q->has_stamp = false;
	q->at_ms = 0;
}

/* Envelope. */

static void on_mail(struct talk *t)
{
	if (recipient_list_begin(t->queued->list, t->command.argv) != PW_OK) {
		talk_defer(t, PW_ERR_NOMEM);
		return;
	}
	talk_begin(t);
	talk_say(t, 250, "2.1.0", "Ok");
}

static void on_rcpt(struct talk *t)
{
	if (recipient_list_add(t->queued->list, t->command.argv) == PW_OK)
		talk_say(t, 250, "2.1.5", "Ok");
	else /* Postfix sends the others with another message */
		talk_say(t, 452, "4.5.3", "Too many recipients");
}

/* Message. */

/* The stamp says inside who the client is, so it goes on. */
static void ask_with_stamp(struct talk *t)
{
	queued_ask(t, NULL);
	if (t->letter.is_wanted)
		outgoing_top(t->outgoing, stamped_field(pw_buf_str(&t->letter.top)));
}

/* Our own fields are known: the stamp among them tells more than XFORWARD. */
static void on_top(struct talk *t)
{
	struct queued *q = t->queued;
	int64_t now_s = pw_clock_wall_ms() / 1000;

	if (q->is_asked)
		return;
	if (talk_origin(t) && pw_buf_status(&t->letter.top) == PW_OK)
		q->has_stamp = stamped_origin(&t->origin, pw_buf_str(&t->letter.top),
		                              &t->derived->keys, t->set->send_login,
		                              q->list, talk_record(t).queue_id, now_s);
	if (!talk_origin(t) || t->set->carry == CARRY_XCLIENT)
		queued_ask(t, talk_origin(t));
	else if (q->has_stamp)
		ask_with_stamp(t);
	else
		queued_withhold(t, "no stamp");
}

static void on_piece(struct talk *t, struct pw_str bytes)
{
	if (t->queued->may_hold)
		hold_write(t->queued->hold, bytes);
}

/* What is to be said of all recipients alike, in reply to DATA. */
static void refuse_data(struct talk *t)
{
	const struct recipient_answer *answer = &t->queued->list->answers[0];

	answer_put(&t->wire.out, answer->code, answer->enhanced, answer->text);
}

static void withhold(struct talk *t, const char *why)
{
	struct record about = talk_record(t);

	record_withhold(&about, why);
	record_count_message(UPSTREAM_FAILED);
	talk_say(t, 451, "4.7.0", RECORD_WITHHELD);
}

/* Without keys there can be no stamp: the inner server is asked before the message is.
 * With them it is only asked whether it is there.
 *
 * Returns false if DATA has been refused. */
static bool ask_first(struct talk *t)
{
	if (t->derived->keys.count == 0)
		on_top(t);
	else if (queued_is_reachable(t))
		return true;
	if (!queued_needs_no_message(t))
		return true;
	record_count_message(t->queued->verdict);
	queued_settle(t);
	refuse_data(t);
	return false;
}

static void finish(struct talk *t)
{
	enum upstream_verdict verdict = t->queued->verdict;
	enum pw_status status = PW_OK;

	if (t->letter.is_wanted)
		verdict = talk_finish(t, &status);
	else
		record_count_message(verdict);
	queued_answer(t, verdict, status);
	talk_tell(t, verdict);
}

static void on_data(struct talk *t)
{
	struct queued *q = t->queued;
	const char *why;

	if (q->list->count == 0) {
		talk_say(t, 503, "5.5.1", "No valid recipients");
		return;
	}
	q->at_ms = 1000 * xforward_arrival_s(&t->xforward, pw_clock_wall_ms() / 1000);
	if ((why = talk_objection(t)) != NULL) {
		withhold(t, why);
	} else if (ask_first(t)) {
		talk_say(t, 354, "", "End data with <CR><LF>.<CR><LF>");
		if (!talk_read_letter(t)) {
			t->is_over = true;
			return;
		}
		finish(t);
	}
	talk_end(t);
}

const struct front front_queue = {
	.name = "queue",
	.protocol = "LMTP",
	.hello = COMMAND_LHLO,
	.takes_local = true,
	.open = on_open,
	.mail = on_mail,
	.rcpt = on_rcpt,
	.data = on_data,
	.top = on_top,
	.piece = on_piece,
	.reset = on_reset,
	.close = on_close,
};
