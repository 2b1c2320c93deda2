#include "io/clock.h"
#include "origin/engine/upstream_state.h"

#define FLIGHT_MAX 50 /* recipients before replies are read */
/* For all of them: Postfix waits 120 s for the reply to DATA (lmtp_data_init_timeout). */
#define ALL_MS 60000

/* Some recipients on their way at once. */
struct flight {
	struct pw_buf lines;
	size_t first, count;
	enum envelope_verdict refusals[FLIGHT_MAX]; /* of those that were not sent */
	bool has_data;
	int64_t end_ms; /* of the time for all recipients */
};

struct telling {
	void (*told)(void *user, size_t index, enum upstream_verdict verdict);
	void *user;
};

static void tell(const struct telling *to, size_t index, enum upstream_verdict verdict)
{
	if (to->told)
		to->told(to->user, index, verdict);
}

/* Each reply has a command's time: a server may need some for every recipient. */
static void wait_anew(struct upstream *up, const struct flight *f)
{
	up->deadline_ms = pw_clock_mono_ms() + up->target->command_ms;
	if (up->deadline_ms > f->end_ms)
		up->deadline_ms = f->end_ms;
}

static void load(struct upstream *up, struct flight *f, char *const *const *argvs,
                 size_t count)
{
	bool is_pipelined = up->offers.words & OFFER_PIPELINING;
	size_t max = is_pipelined ? FLIGHT_MAX : 1;

	pw_buf_reset(&f->lines);
	for (f->count = 0; f->count < max && f->first + f->count < count; f->count++)
		f->refusals[f->count] =
			envelope_rcpt(&f->lines, argvs[f->first + f->count], &up->offers);
	f->has_data = is_pipelined && f->first + f->count == count;
	if (f->has_data)
		pw_buf_puts(&f->lines, PW_STR("DATA\r\n"));
}

/* An accepted RCPT's line, for a replay. */
static void keep(struct upstream *up, char *const *argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };

	if (envelope_rcpt(&line, argv, &up->offers) == ENVELOPE_OK)
		upstream_remember(up, pw_buf_str(&line));
	up->accepted++;
}

static enum upstream_verdict read_one(struct upstream *up, enum envelope_verdict refusal)
{
	enum pw_status r;

	if (refusal != ENVELOPE_OK)
		return upstream_refuse(up, refusal);
	if (up->state == CLOSED) /* 421 to one before */
		return upstream_fail(up, "rcpt", PW_ERR_AWAY);
	if ((r = upstream_next_reply(up)) != PW_OK)
		return upstream_fail(up, "rcpt", r);
	return upstream_judge(up, "rcpt");
}

/* DATA's reply. With nobody accepted a 354 is no invitation: not even an empty message
 * may go out, so the session ends. */
static enum upstream_verdict read_data(struct upstream *up)
{
	enum pw_status r;

	if (up->state == CLOSED)
		return upstream_fail(up, "data", PW_ERR_AWAY);
	if ((r = upstream_next_reply(up)) != PW_OK)
		return upstream_fail(up, "data", r);
	if (up->client.reply.code / 100 == 3 && up->accepted == 0)
		upstream_hang_up(up);
	else if (up->client.reply.code == 354)
		upstream_enter(up, DATA);
	else if (up->client.reply.code / 100 == 2)
		return upstream_fail(up, "data", PW_ERR_PROTOCOL);
	else if (up->accepted > 0)
		up->data_verdict = upstream_judge(up, "data");
	return UPSTREAM_OK;
}

/* The sender was refused: so is everybody, with the same words. What was sent behind MAIL
 * has replies, too. */
static enum upstream_verdict refuse_all(struct upstream *up, struct flight *f,
                                        size_t count, const struct telling *to)
{
	size_t replies = f->has_data;
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < f->count; i++)
		replies += f->refusals[i] == ENVELOPE_OK;
	while (up->state != CLOSED && replies-- > 0)
		if ((r = upstream_next_reply(up)) != PW_OK ||
		    up->client.reply.code / 100 == 3)
			upstream_hang_up(up);
	up->shown = &up->kept;
	for (size_t i = f->first; i < count; i++)
		tell(to, i, UPSTREAM_REFUSED);
	return UPSTREAM_REFUSED;
}

static enum upstream_verdict fly(struct upstream *up, struct flight *f,
                                 char *const *const *argvs, const struct telling *to)
{
	enum upstream_verdict verdict;

	for (size_t i = 0; i < f->count; i++, wait_anew(up, f)) {
		verdict = read_one(up, f->refusals[i]);
		if (verdict == UPSTREAM_FAILED)
			return verdict;
		if (verdict == UPSTREAM_OK)
			keep(up, argvs[f->first + i]);
		tell(to, f->first + i, verdict);
	}
	return f->has_data ? read_data(up) : UPSTREAM_OK;
}

/* Send a flight and read what comes before its own replies. */
static enum upstream_verdict depart(struct upstream *up, struct flight *f)
{
	if (pw_buf_status(&f->lines) != PW_OK)
		return upstream_fail(up, "rcpt", PW_ERR_NOMEM);
	return upstream_send_behind(up, "rcpt", pw_buf_str(&f->lines));
}

static enum upstream_verdict fly_all(struct upstream *up, struct flight *f,
                                     char *const *const *argvs, size_t count,
                                     const struct telling *to)
{
	enum upstream_verdict verdict;

	for (f->first = 0; f->first < count; f->first += f->count) {
		upstream_begin_command(up);
		wait_anew(up, f);
		if (upstream_is_lost(up) &&
		    (verdict = upstream_replay(up, "rcpt")) != UPSTREAM_OK)
			return verdict;
		load(up, f, argvs, count);
		verdict = depart(up, f);
		if (verdict == UPSTREAM_FAILED && up->failure.status == PW_ERR_AWAY &&
		    up->may_replay &&
		    (verdict = upstream_replay(up, "rcpt")) == UPSTREAM_OK)
			verdict = depart(up, f);
		if (verdict == UPSTREAM_REFUSED)
			return refuse_all(up, f, count, to);
		if (verdict != UPSTREAM_OK ||
		    (verdict = fly(up, f, argvs, to)) != UPSTREAM_OK)
			return verdict;
	}
	return up->accepted > 0 ? UPSTREAM_OK : UPSTREAM_REFUSED;
}

enum upstream_verdict
upstream_rcpts(struct upstream *up, char *const *const *argvs, size_t count,
               void (*told)(void *user, size_t index, enum upstream_verdict verdict),
               void *user)
{
	struct telling to = { told, user };
	struct flight f = { .end_ms = pw_clock_mono_ms() + ALL_MS };
	enum upstream_verdict verdict = fly_all(up, &f, argvs, count, &to);

	pw_buf_done(&f.lines);
	return verdict;
}
