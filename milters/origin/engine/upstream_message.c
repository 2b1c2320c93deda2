#include "io/clock.h"
#include "origin/engine/upstream_state.h"

#define BUFFER_BYTES ((size_t)16 * 1024) /* of the message, before it is sent on */
#define PART_BYTES ((size_t)4096)        /* stuffed at a time: twice as much at worst */
#define ALIVE_EVERY_MS 10000

static enum upstream_verdict say_data(struct upstream *up)
{
	enum pw_status r = upstream_ask(up, PW_STR("DATA\r\n"));

	if (r != PW_OK)
		return upstream_fail(up, "data", r);
	if (up->client.reply.code == 354) {
		upstream_enter(up, DATA);
		return UPSTREAM_OK;
	}
	if (up->client.reply.code / 100 == 2)
		return upstream_fail(up, "data", PW_ERR_PROTOCOL);
	return upstream_judge(up, "data");
}

/* To the inner's 354. A session that was lost since the recipients were accepted, or
 * since the 354 itself, is opened again. */
static enum upstream_verdict open_data(struct upstream *up)
{
	enum upstream_verdict verdict;

	upstream_begin_command(up);
	if (up->accepted == 0)
		return upstream_fail(up, "data", PW_ERR_STATE);
	if (upstream_is_lost(up)) {
		if ((verdict = upstream_replay(up, "data")) != UPSTREAM_OK)
			return verdict;
	}
	if (up->state == DATA)
		return UPSTREAM_OK;
	verdict = say_data(up);
	if (verdict != UPSTREAM_FAILED || up->failure.status != PW_ERR_AWAY ||
	    !up->may_replay)
		return verdict;
	return (verdict = upstream_replay(up, "data")) == UPSTREAM_OK ? say_data(up)
	                                                              : verdict;
}

void upstream_data(struct upstream *up)
{
	if (up->data_verdict == UPSTREAM_OK && up->state == TRANSACTION)
		up->data_verdict = open_data(up);
}

/* Write out what is buffered. The time limit is for each buffer, not for the message. */
static enum upstream_verdict flush(struct upstream *up)
{
	enum upstream_verdict verdict;
	enum pw_status r;

	if (!up->has_begun && (verdict = open_data(up)) != UPSTREAM_OK)
		return verdict;
	upstream_begin_command(up);
	if (up->state != DATA)
		return upstream_fail(up, "data", PW_ERR_STATE);
	up->has_begun = true;
	if ((r = pw_buf_status(&up->out)) != PW_OK ||
	    (r = smtp_client_send(&up->client, pw_buf_str(&up->out), up->deadline_ms)) !=
	            PW_OK)
		return upstream_fail(up, "data", r);
	pw_buf_reset(&up->out);
	return UPSTREAM_OK;
}

void upstream_write(struct upstream *up, struct pw_str bytes)
{
	while (bytes.len > 0 && up->data_verdict == UPSTREAM_OK) {
		struct pw_str part = pw_str_sub(bytes, 0, PART_BYTES);

		dot_stuff_put(&up->out, &up->stuff, part);
		bytes = pw_str_sub(bytes, part.len, bytes.len);
		if (up->out.len >= BUFFER_BYTES)
			up->data_verdict = flush(up);
	}
}

/* The reply to the final dot may take minutes; meanwhile the client's side is kept awake.
 */
static enum pw_status await_verdict(struct upstream *up, void (*alive)(void *user),
                                    void *user)
{
	int64_t deadline_ms = pw_clock_mono_ms() + up->target->dot_ms;
	enum pw_status r;

	for (;;) {
		int64_t until_ms = pw_clock_mono_ms() + ALIVE_EVERY_MS;

		if (until_ms > deadline_ms)
			until_ms = deadline_ms;
		r = smtp_client_receive(&up->client, until_ms);
		up->heard_ms = pw_clock_mono_ms();
		if (r != PW_ERR_TIMEOUT || until_ms == deadline_ms)
			return r;
		if (alive)
			alive(user);
	}
}

enum upstream_verdict upstream_finish(struct upstream *up, void (*alive)(void *user),
                                      void *user)
{
	enum upstream_verdict verdict = up->data_verdict;
	enum pw_status r;

	if (verdict != UPSTREAM_OK)
		return verdict;
	dot_stuff_end(&up->out, &up->stuff);
	if ((verdict = flush(up)) != UPSTREAM_OK)
		return verdict;
	if ((r = await_verdict(up, alive, user)) != PW_OK) {
		verdict = upstream_fail(up, "dot", r);
		up->failure.in_doubt = true;
		return verdict;
	}
	verdict = upstream_judge(up, "dot");
	if (up->state ==
	    DATA) /* Postfix keeps a transaction that its restrictions refused here */
		upstream_enter(up, verdict == UPSTREAM_OK ? READY : STALE);
	return verdict;
}
