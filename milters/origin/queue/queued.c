#include "origin/queue/queued.h"

#include "io/clock.h"
#include "origin/queue/answer.h"

#define CODE_OK 250
#define CODE_LATER 451
#define CODE_NEVER 554

static struct hold_settings hold_settings(const struct talk *t)
{
	return (struct hold_settings){ .listener = t->set->hold_listener,
		                       .after_ms = t->set->hold_after_ms,
		                       .hello = t->derived->name };
}

static bool is_due(const struct talk *t)
{
	const struct hold_settings set = hold_settings(t);

	return hold_is_due(&set, t->queued->at_ms, pw_clock_wall_ms());
}

/* Asking. */

static void hear(void *user, size_t index, enum upstream_verdict verdict)
{
	struct talk *t = user;
	struct recipient_list *list = t->queued->list;
	struct record about = talk_record(t);

	talk_learn(t, verdict, list->argvs[index][0]);
	if (verdict == UPSTREAM_OK) {
		list->accepted++;
		return;
	}
	record_refuse(&about, "rcpt", list->argvs[index][0], upstream_reply(t->up));
	recipient_list_refuse(list, index, upstream_reply(t->up));
}

/* Of those of whom nothing is known yet, accepted ones included. */
static void say_later(struct talk *t, enum pw_status status)
{
	struct recipient_list *list = t->queued->list;

	for (size_t i = 0; i < list->count; i++)
		if (!list->answers[i].code)
			recipient_list_say(list, i, CODE_LATER, record_enhanced(status),
			                   RECORD_LATER);
}

static enum upstream_verdict fail(struct talk *t, const char *stage)
{
	const struct upstream_failure *failure = upstream_failure(t->up);
	struct record about = talk_record(t);

	record_defer(&about, stage, failure, upstream_reply(t->up), PW_STR(""));
	say_later(t, failure->status);
	return UPSTREAM_FAILED;
}

static enum upstream_verdict refuse_all(struct talk *t)
{
	struct recipient_list *list = t->queued->list;
	struct record about = talk_record(t);

	record_refuse(&about, "mail", NULL, upstream_reply(t->up));
	for (size_t i = 0; i < list->count; i++)
		recipient_list_refuse(list, i, upstream_reply(t->up));
	return UPSTREAM_REFUSED;
}

static enum upstream_verdict ask(struct talk *t, const struct pw_origin *origin)
{
	struct recipient_list *list = t->queued->list;
	char *const *const *argvs = (char *const *const *)list->argvs;
	enum upstream_verdict verdict = upstream_mail(t->up, origin, list->mail);

	if (verdict == UPSTREAM_FAILED)
		return fail(t, "mail");
	if (verdict == UPSTREAM_REFUSED)
		return refuse_all(t);
	verdict = upstream_rcpts(t->up, argvs, list->count, hear, t);
	return verdict == UPSTREAM_FAILED ? fail(t, "rcpt") : verdict;
}

static bool has_hold(struct talk *t)
{
	struct queued *q = t->queued;

	if (!q->hold && hold_new(&q->hold, t->fallback->holds) == PW_OK)
		hold_begin(q->hold, talk_origin(t), q->list->mail);
	return q->hold != NULL;
}

/* A copy is only kept of what hold_commit could have to put there. */
static void keep_copy(struct talk *t)
{
	struct queued *q = t->queued;

	q->may_hold = t->set->hold_listener[0] && talk_origin(t) && t->sender.len > 0 &&
	              has_hold(t);
}

static void conclude(struct talk *t, enum upstream_verdict verdict)
{
	t->queued->is_asked = true;
	t->queued->verdict = verdict;
	t->letter.is_wanted = verdict == UPSTREAM_OK;
}

void queued_ask(struct talk *t, const struct pw_origin *origin)
{
	keep_copy(t);
	conclude(t, ask(t, origin));
}

void queued_withhold(struct talk *t, const char *why)
{
	struct recipient_list *list = t->queued->list;
	struct record about = talk_record(t);

	record_withhold(&about, why);
	for (size_t i = 0; i < list->count; i++)
		recipient_list_say(list, i, CODE_LATER, "4.7.0", RECORD_WITHHELD);
	conclude(t, UPSTREAM_FAILED);
}

bool queued_is_reachable(struct talk *t)
{
	if (upstream_ready(t->up) == UPSTREAM_OK)
		return true;
	keep_copy(t);
	conclude(t, fail(t, "data"));
	return false;
}

/* One for all. */
static bool is_one_answer(const struct recipient_list *list)
{
	for (size_t i = 1; i < list->count; i++)
		if (list->answers[i].code != list->answers[0].code ||
		    !pw_str_eq(list->answers[i].text, list->answers[0].text))
			return false;
	return list->count > 0;
}

bool queued_needs_no_message(const struct talk *t)
{
	const struct recipient_list *list = t->queued->list;

	if (t->queued->verdict == UPSTREAM_OK || !is_one_answer(list) || is_due(t))
		return false;
	return list->answers[0].code / 100 == 4 || !t->queued->may_hold;
}

/* Refusals. */

/* Is there anything to decide about a refusal? */
static bool is_final(const struct talk *t, const struct recipient_answer *answer)
{
	return answer->code / 100 == 5 || (answer->code / 100 == 4 && is_due(t));
}

static bool is_same(const struct recipient_answer *a, const struct recipient_answer *b)
{
	return a->code == b->code && pw_str_eq(a->text, b->text);
}

static void apply(struct recipient_list *list, size_t index, enum hold_verdict verdict)
{
	struct recipient_answer *answer = &list->answers[index];

	switch (verdict) {
	case HOLD_PASS:
		if (answer->code / 100 == 4) /* it was due: now it is for good */
			recipient_list_say(list, index, CODE_NEVER, "5.4.7",
			                   "Delivery time expired");
		break;
	case HOLD_HELD:
		recipient_list_say(list, index, CODE_OK, "2.0.0",
		                   "Refused inside, put on hold on this host");
		break;
	case HOLD_LATER:
	default:
		recipient_list_say(list, index, CODE_LATER, "4.7.0",
		                   "Refused inside, cannot be put on hold now");
		break;
	}
}

/* The recipients that were refused in the same words as the one at first; one copy on
 * hold for all of them. */
static void settle(struct talk *t, size_t first)
{
	struct recipient_list *list = t->queued->list;
	const struct recipient_answer refusal = list->answers[first];
	struct hold_settings set = hold_settings(t);
	const char *rcpts[RECIPIENTS_ONCE];
	size_t indices[RECIPIENTS_ONCE], count = 0;
	PW_AUTO(smtp_reply_done) struct smtp_reply reply = { 0 };
	enum hold_verdict verdict;

	for (size_t i = first; i < list->count; i++) {
		if (!is_same(&list->answers[i], &refusal))
			continue;
		rcpts[count] = list->argvs[i][0];
		indices[count++] = i;
	}
	if (!t->queued->may_hold) /* no copy was kept: an empty one is none */
		set.listener = "";
	smtp_reply_set(&reply, refusal.code, refusal.enhanced, "");
	pw_buf_puts(&reply.text, refusal.text);
	verdict = has_hold(t) ? hold_commit(t->queued->hold, &set,
	                                    talk_record(t).queue_id, rcpts, count, &reply)
	                      : HOLD_LATER;
	for (size_t i = 0; i < count; i++)
		apply(list, indices[i], verdict);
}

/* Each group of refusals is decided once: what apply says of it is not final, but for the
 * bounce, which is left as it is. */
void queued_settle(struct talk *t)
{
	struct recipient_list *list = t->queued->list;

	for (size_t i = 0; i < list->count; i++) {
		bool was_seen = false;

		for (size_t j = 0; j < i; j++)
			was_seen |= is_same(&list->answers[j], &list->answers[i]);
		if (!was_seen && is_final(t, &list->answers[i]))
			settle(t, i);
	}
}

void queued_answer(struct talk *t, enum upstream_verdict of_message,
                   enum pw_status status)
{
	struct recipient_list *list = t->queued->list;
	const struct smtp_reply *reply = upstream_reply(t->up);
	PW_AUTO(pw_buf_done) struct pw_buf answer = { 0 };

	if (of_message == UPSTREAM_OK)
		answer_put(&answer, reply->code, reply->enhanced,
		           pw_buf_str(&reply->text));
	else if (of_message == UPSTREAM_FAILED)
		say_later(t, status != PW_OK ? status : upstream_failure(t->up)->status);
	for (size_t i = 0; of_message == UPSTREAM_REFUSED && i < list->count; i++)
		if (!list->answers[i].code)
			recipient_list_refuse(list, i, reply);
	queued_settle(t);
	recipient_list_put(list, &t->wire.out, pw_buf_str(&answer));
}
