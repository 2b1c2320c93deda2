#include "io/clock.h"
#include "origin/counters.h"
#include "origin/engine/link.h"
#include "origin/engine/pool.h"
#include "origin/engine/upstream_state.h"
#include "origin/engine/xclient.h"

#define ALL_OFFERS (~0u)
#define HELLOS_MAX 2 /* before and after STARTTLS; whoever says more waits at MAIL */

/* A connection of our own: what goes wrong here is not about the client. */
static enum upstream_verdict dial(struct upstream *up)
{
	const char *step = "connect";
	enum pw_status r =
		link_open(&up->client, up->target, up->deadline_ms, &up->offers, &step);

	if (r != PW_OK)
		return upstream_fail(up, step, r);
	pw_count(&counters, COUNT_dialled, 1);
	if (up->target->pool)
		pool_tell(up->target->pool, &up->offers);
	return UPSTREAM_OK;
}

/* The inner's answer to XCLIENT: 501, 503 and 550 are about XCLIENT itself, every other
 * refusal is its verdict on the client. */
static enum upstream_verdict judge_xclient(struct upstream *up)
{
	int code = up->client.reply.code;

	if (code == 220)
		return UPSTREAM_OK;
	if (code == 501 || code == 503 || code == 550)
		return upstream_fail(up, "xclient", PW_ERR_DENIED);
	if (code / 100 == 4 || code / 100 == 5)
		return UPSTREAM_REFUSED;
	return upstream_fail(up, "xclient", PW_ERR_PROTOCOL);
}

static enum upstream_verdict introduce(struct upstream *up)
{
	PW_AUTO(pw_buf_done) struct pw_buf commands = { 0 };
	enum upstream_verdict verdict;
	struct pw_str rest;
	enum pw_status r;

	if ((r = xclient_build(&commands, up->origin, up->offers.words)) != PW_OK)
		return upstream_fail(up, "xclient", r);
	rest = pw_buf_str(&commands);
	while (rest.len >
	       0) { /* one or two lines; each must end its group: no pipelining */
		size_t len = pw_str_find(rest, '\n') + 1;

		if ((r = upstream_ask(up, pw_str_sub(rest, 0, len))) != PW_OK)
			return upstream_fail(up, "xclient", r);
		if ((verdict = judge_xclient(up)) != UPSTREAM_OK)
			return verdict;
		rest = pw_str_sub(rest, len, rest.len);
	}
	return UPSTREAM_OK;
}

/* XCLIENT puts the session back to its greeting; without a second EHLO the inner's
 * milters would get no HELO event. A client that never said HELO gets none invented. */
static enum upstream_verdict greet_again(struct upstream *up)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	enum pw_status r;

	if (up->origin->helo.len == 0)
		return UPSTREAM_OK;
	link_put_ehlo(&line, up->origin->helo);
	if ((r = upstream_ask(up, pw_buf_str(&line))) != PW_OK)
		return upstream_fail(up, "ehlo", r);
	if (up->client.reply.code / 100 == 4 || up->client.reply.code / 100 == 5)
		return UPSTREAM_REFUSED;
	if (up->client.reply.code != 250)
		return upstream_fail(up, "ehlo", PW_ERR_PROTOCOL);
	up->offers = link_offers(&up->client.reply);
	return UPSTREAM_OK;
}

/* A greeted connection becomes this client's session. */
static enum upstream_verdict adopt(struct upstream *up)
{
	enum upstream_verdict verdict = UPSTREAM_OK;

	if (up->origin && (verdict = introduce(up)) == UPSTREAM_OK)
		verdict = greet_again(up);
	if (verdict == UPSTREAM_OK)
		upstream_enter(up, READY);
	else
		upstream_hang_up(up);
	return verdict;
}

/* With a connection out of the store. */
static enum upstream_verdict adopt_spare(struct upstream *up)
{
	enum upstream_verdict verdict = adopt(up);

	if (verdict == UPSTREAM_OK)
		smtp_client_expect_life(&up->client, 0);
	else if (verdict == UPSTREAM_FAILED && up->failure.status == PW_ERR_TIMEOUT)
		pool_distrust(up->target->pool);
	return verdict;
}

static bool died_in_store(const struct upstream *up, enum upstream_verdict verdict)
{
	return verdict == UPSTREAM_FAILED && (up->failure.status == PW_ERR_AWAY ||
	                                      up->failure.status == PW_ERR_TIMEOUT);
}

enum upstream_verdict upstream_open(struct upstream *up)
{
	enum upstream_verdict verdict;

	if (up->state == GREETED ||
	    pool_take(up->target->pool, false, &up->client, &up->offers)) {
		verdict = adopt_spare(up);
		if (!died_in_store(up, verdict))
			return verdict;
	}
	return (verdict = dial(up)) == UPSTREAM_OK ? adopt(up) : verdict;
}

enum upstream_verdict upstream_ready(struct upstream *up)
{
	enum upstream_verdict verdict;

	upstream_begin_command(up);
	if (up->state != CLOSED && upstream_is_lost(up))
		upstream_hang_up(up);
	if (up->state != CLOSED)
		return UPSTREAM_OK;
	if (!pool_take(up->target->pool, false, &up->client, &up->offers) &&
	    (verdict = dial(up)) != UPSTREAM_OK)
		return verdict;
	up->heard_ms = pw_clock_mono_ms();
	upstream_enter(up, GREETED);
	return UPSTREAM_OK;
}

enum pw_status upstream_identify(struct upstream *up, const struct pw_origin *origin)
{
	PW_AUTO(pw_buf_done) struct pw_buf now = { 0 };
	enum pw_status r = PW_OK;

	if (origin)
		r = xclient_build(&now, origin, ALL_OFFERS);
	up->origin = origin;
	if (r != PW_OK || pw_str_eq(pw_buf_str(&now), pw_buf_str(&up->identity)))
		return r;
	if (up->state != GREETED) {
		upstream_say_quit(up);
		upstream_hang_up(up);
	}
	pw_buf_reset(&up->identity);
	pw_buf_puts(&up->identity, pw_buf_str(&now));
	return pw_buf_status(&up->identity);
}

void upstream_hello(struct upstream *up, const struct pw_origin *origin)
{
	int64_t began_ms = pw_clock_mono_ms();

	if (upstream_identify(up, origin) != PW_OK || up->hellos >= HELLOS_MAX)
		return;
	if (up->state == CLOSED &&
	    pool_take(up->target->pool, true, &up->client, &up->offers))
		up->is_early = true;
	else if (up->state != GREETED)
		return;
	up->hellos++;
	up->deadline_ms = began_ms + up->target->command_ms;
	(void)adopt_spare(up);
	up->owed_ms = pw_clock_mono_ms() - began_ms;
}
