#include "origin/engine/upstream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ascii.h"
#include "io/clock.h"
#include "io/log.h"
#include "origin/engine/dot_stuff.h"
#include "origin/engine/envelope.h"
#include "origin/engine/smtp_client.h"
#include "origin/engine/xclient.h"

#define BUFFER_BYTES ((size_t)64 * 1024)
#define ALIVE_EVERY_MS 10000
#define HELO_MAX 255
#define ALL_OFFERS (~0u)

enum state {
	CLOSED,
	READY,       /* origin carried, no transaction */
	TRANSACTION, /* MAIL accepted */
	STALE,       /* a transaction nobody wants any more: RSET before the next */
	DATA,        /* 354 seen, message on its way */
	STATES
};

/* clang-format off */
static const struct {
	const char *name;
	unsigned may_become; /* bits of enum state */
} states[STATES] = {
	[CLOSED]      = { "closed",      1u << READY },
	[READY]       = { "ready",       1u << CLOSED | 1u << TRANSACTION },
	[TRANSACTION] = { "transaction", 1u << CLOSED | 1u << STALE | 1u << DATA },
	[STALE]       = { "stale",       1u << CLOSED | 1u << READY },
	[DATA]        = { "data",        1u << CLOSED | 1u << READY | 1u << STALE },
};
/* clang-format on */

struct upstream {
	enum state state;
	const struct upstream_target *target;
	struct smtp_client client;
	struct pw_buf identity; /* the XCLIENT this session would need: same text, same
	                           origin */
	unsigned offers;
	int64_t deadline_ms; /* of the client's command being served */
	struct upstream_failure failure;
	/* the message: */
	struct pw_buf out;
	struct dot_stuff stuff;
	enum upstream_verdict
		data_verdict; /* not OK: the rest of the message is dropped */
};

static void enter(struct upstream *up, enum state next)
{
	assert(states[up->state].may_become & (1u << next));
	if (pw_log_wanted(PW_LOG_DEBUG))
		pw_log(PW_LOG_DEBUG, "", PW_KV("upstream", states[up->state].name),
		       PW_KV("becomes", states[next].name), PW_KV_END);
	up->state = next;
}

/* The last reply stays readable, for the log. */
static void hang_up(struct upstream *up)
{
	smtp_client_close(&up->client);
	if (up->state != CLOSED)
		enter(up, CLOSED);
}

static enum upstream_verdict fail(struct upstream *up, const char *step,
                                  enum pw_status status)
{
	up->failure = (struct upstream_failure){ .step = step, .status = status };
	hang_up(up);
	return UPSTREAM_FAILED;
}

/* Without waiting for an answer; never in the midst of a message. */
static void say_quit(struct upstream *up)
{
	if (up->state != CLOSED && up->state != DATA &&
	    smtp_client_send(&up->client, PW_STR("QUIT\r\n"), pw_clock_mono_ms()) !=
	            PW_OK)
		return; /* gone already */
}

enum pw_status upstream_new(struct upstream **out, const struct upstream_target *target)
{
	struct upstream *up = calloc(1, sizeof(*up));

	if (!up)
		return PW_ERR_NOMEM;
	up->target = target;
	smtp_client_init(&up->client);
	*out = up;
	return PW_OK;
}

void upstream_free(struct upstream **out)
{
	struct upstream *up = *out;

	if (!up)
		return;
	say_quit(up);
	smtp_client_done(&up->client);
	pw_buf_done(&up->identity);
	pw_buf_done(&up->out);
	free(up);
	*out = NULL;
}

const struct smtp_reply *upstream_reply(const struct upstream *up)
{
	return &up->client.reply;
}

const struct upstream_failure *upstream_failure(const struct upstream *up)
{
	return &up->failure;
}

/* What a complete reply means for the client. */
static enum upstream_verdict judge(struct upstream *up, const char *step)
{
	int code = up->client.reply.code;

	if (code / 100 == 2)
		return UPSTREAM_OK;
	if (code / 100 != 4 && code / 100 != 5)
		return fail(up, step, PW_ERR_PROTOCOL);
	if (code == 421) /* the inner leaves with this reply */
		hang_up(up);
	return UPSTREAM_REFUSED;
}

static enum pw_status exchange(struct upstream *up, struct pw_str command,
                               int64_t deadline_ms)
{
	enum pw_status r = smtp_client_send(&up->client, command, deadline_ms);

	return r == PW_OK ? smtp_client_receive(&up->client, deadline_ms) : r;
}

/* Opening: everything before mail. */

static enum pw_status dial(struct upstream *up)
{
	int64_t deadline_ms = pw_clock_mono_ms() + up->target->connect_ms;
	enum pw_status r = PW_ERR_AWAY;

	for (size_t i = 0; i < up->target->count; i++) {
		smtp_client_close(&up->client);
		r = smtp_client_connect(
			&up->client,
			(const struct sockaddr *)&up->target->addresses[i].address,
			up->target->addresses[i].len, deadline_ms);
		if (r == PW_OK)
			return r;
	}
	return r;
}

/* EHLO's argument: one word without anything that ends a line. */
static void put_ehlo(struct pw_buf *out, struct pw_str name)
{
	name = pw_str_sub(name, 0, HELO_MAX);
	pw_buf_puts(out, PW_STR("EHLO "));
	for (size_t i = 0; i < name.len; i++)
		pw_buf_putc(out, name.at[i] > ' ' && pw_is_print(name.at[i]) ? name.at[i]
		                                                             : '?');
	pw_buf_puts(out, PW_STR("\r\n"));
}

/* Greeting and EHLO in our own name: what goes wrong here is not about the client. */
static enum upstream_verdict greet(struct upstream *up)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	enum pw_status r;

	if ((r = dial(up)) != PW_OK)
		return fail(up, "connect", r);
	if ((r = smtp_client_receive(&up->client, up->deadline_ms)) != PW_OK)
		return fail(up, "greeting", r);
	if (up->client.reply.code != 220)
		return fail(up, "greeting", PW_ERR_DENIED);
	put_ehlo(&line, pw_str_from(up->target->hello));
	if ((r = exchange(up, pw_buf_str(&line), up->deadline_ms)) != PW_OK)
		return fail(up, "ehlo", r);
	if (up->client.reply.code != 250)
		return fail(up, "ehlo", PW_ERR_DENIED);
	up->offers = smtp_reply_offers(&up->client.reply);
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
		return fail(up, "xclient", PW_ERR_DENIED);
	if (code / 100 == 4 || code / 100 == 5)
		return UPSTREAM_REFUSED;
	return fail(up, "xclient", PW_ERR_PROTOCOL);
}

static enum upstream_verdict introduce(struct upstream *up,
                                       const struct pw_origin *origin)
{
	PW_AUTO(pw_buf_done) struct pw_buf commands = { 0 };
	enum upstream_verdict verdict;
	struct pw_str rest;
	enum pw_status r;

	if ((r = xclient_build(&commands, origin, up->offers)) != PW_OK)
		return fail(up, "xclient", r);
	rest = pw_buf_str(&commands);
	while (rest.len >
	       0) { /* one or two lines; each must end its group: no pipelining */
		size_t len = pw_str_find(rest, '\n') + 1;

		r = exchange(up, pw_str_sub(rest, 0, len), up->deadline_ms);
		if (r != PW_OK)
			return fail(up, "xclient", r);
		if ((verdict = judge_xclient(up)) != UPSTREAM_OK)
			return verdict;
		rest = pw_str_sub(rest, len, rest.len);
	}
	return UPSTREAM_OK;
}

/* XCLIENT puts the session back to its greeting; without a second EHLO the inner's
 * milters would get no HELO event. A client that never said HELO gets none invented. */
static enum upstream_verdict greet_again(struct upstream *up,
                                         const struct pw_origin *origin)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	enum pw_status r;

	if (origin->helo.len == 0)
		return UPSTREAM_OK;
	put_ehlo(&line, origin->helo);
	if ((r = exchange(up, pw_buf_str(&line), up->deadline_ms)) != PW_OK)
		return fail(up, "ehlo", r);
	if (up->client.reply.code / 100 == 4 || up->client.reply.code / 100 == 5)
		return UPSTREAM_REFUSED;
	if (up->client.reply.code != 250)
		return fail(up, "ehlo", PW_ERR_PROTOCOL);
	up->offers = smtp_reply_offers(&up->client.reply);
	return UPSTREAM_OK;
}

static enum upstream_verdict open_session(struct upstream *up,
                                          const struct pw_origin *origin)
{
	enum upstream_verdict verdict;

	if ((verdict = greet(up)) == UPSTREAM_OK &&
	    (verdict = introduce(up, origin)) == UPSTREAM_OK)
		verdict = greet_again(up, origin);
	if (verdict == UPSTREAM_OK)
		enter(up, READY);
	else
		hang_up(up);
	return verdict;
}

/* Envelope. */

typedef enum envelope_verdict (*envelope_put)(struct pw_buf *out, char *const *argv,
                                              unsigned offers);

/* Refuse in the inner's name what it could not take. */
static enum upstream_verdict refuse(struct upstream *up, enum envelope_verdict verdict)
{
	static const struct {
		int code;
		const char *enhanced, *text;
	} replies[] = {
		[ENVELOPE_BAD] = { 501, "5.1.7", "Address cannot be passed on" },
		[ENVELOPE_NO_8BIT] = { 554, "5.6.3", "Server takes no 8-bit messages" },
		[ENVELOPE_NO_UTF8] = { 553, "5.6.7",
		                       "Server takes no internationalised mail" },
	};

	smtp_reply_set(&up->client.reply, replies[verdict].code,
	               replies[verdict].enhanced, replies[verdict].text);
	return UPSTREAM_REFUSED;
}

static enum upstream_verdict envelope_step(struct upstream *up, const char *step,
                                           envelope_put put, char *const *argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	enum envelope_verdict verdict = put(&line, argv, up->offers);
	enum pw_status r;

	if (verdict != ENVELOPE_OK)
		return refuse(up, verdict);
	if ((r = pw_buf_status(&line)) != PW_OK ||
	    (r = exchange(up, pw_buf_str(&line), up->deadline_ms)) != PW_OK)
		return fail(up, step, r);
	return judge(up, step);
}

static void clear_stale(struct upstream *up)
{
	if (up->state != STALE)
		return;
	if (exchange(up, PW_STR("RSET\r\n"), up->deadline_ms) == PW_OK &&
	    up->client.reply.code == 250)
		enter(up, READY);
	else
		hang_up(up);
}

/* Forget a session that was opened for somebody else (AUTH or HELO came since). */
static enum pw_status compare_identity(struct upstream *up,
                                       const struct pw_origin *origin)
{
	PW_AUTO(pw_buf_done) struct pw_buf now = { 0 };
	enum pw_status r = xclient_build(&now, origin, ALL_OFFERS);

	if (r != PW_OK || pw_str_eq(pw_buf_str(&now), pw_buf_str(&up->identity)))
		return r;
	say_quit(up);
	hang_up(up);
	pw_buf_reset(&up->identity);
	pw_buf_puts(&up->identity, pw_buf_str(&now));
	return pw_buf_status(&up->identity);
}

enum upstream_verdict upstream_mail(struct upstream *up, const struct pw_origin *origin,
                                    char *const *argv)
{
	enum upstream_verdict verdict = UPSTREAM_FAILED;
	bool was_open;
	enum pw_status r;

	up->deadline_ms = pw_clock_mono_ms() + up->target->command_ms;
	up->data_verdict = UPSTREAM_OK;
	if ((r = compare_identity(up, origin)) != PW_OK)
		return fail(up, "xclient", r);
	clear_stale(up);
	was_open = up->state == READY;
	if (was_open) {
		verdict = envelope_step(up, "mail", envelope_mail, argv);
		was_open =
			up->state != CLOSED; /* died since: nothing is lost, once more */
	}
	if (!was_open) {
		if ((verdict = open_session(up, origin)) != UPSTREAM_OK)
			return verdict;
		verdict = envelope_step(up, "mail", envelope_mail, argv);
	}
	if (verdict == UPSTREAM_OK)
		enter(up, TRANSACTION);
	return verdict;
}

enum upstream_verdict upstream_rcpt(struct upstream *up, char *const *argv)
{
	up->deadline_ms = pw_clock_mono_ms() + up->target->command_ms;
	if (up->state != TRANSACTION)
		return fail(up, "rcpt", PW_ERR_AWAY);
	return envelope_step(up, "rcpt", envelope_rcpt, argv);
}

/* Message. */

static enum upstream_verdict open_data(struct upstream *up)
{
	enum pw_status r;

	if (up->state != TRANSACTION)
		return fail(up, "data", PW_ERR_AWAY);
	if ((r = exchange(up, PW_STR("DATA\r\n"), up->deadline_ms)) != PW_OK)
		return fail(up, "data", r);
	if (up->client.reply.code == 354) {
		enter(up, DATA);
		return UPSTREAM_OK;
	}
	if (up->client.reply.code / 100 == 2)
		return fail(up, "data", PW_ERR_PROTOCOL);
	return judge(up, "data");
}

/* Write out what is buffered. The time limit is for each buffer, not for the message. */
static enum upstream_verdict flush(struct upstream *up)
{
	enum upstream_verdict verdict;
	enum pw_status r;

	up->deadline_ms = pw_clock_mono_ms() + up->target->command_ms;
	if (up->state != DATA && (verdict = open_data(up)) != UPSTREAM_OK)
		return verdict;
	if ((r = pw_buf_status(&up->out)) != PW_OK ||
	    (r = smtp_client_send(&up->client, pw_buf_str(&up->out), up->deadline_ms)) !=
	            PW_OK)
		return fail(up, "data", r);
	pw_buf_reset(&up->out);
	return UPSTREAM_OK;
}

void upstream_write(struct upstream *up, struct pw_str bytes)
{
	if (up->data_verdict != UPSTREAM_OK)
		return;
	dot_stuff_put(&up->out, &up->stuff, bytes);
	if (up->out.len >= BUFFER_BYTES)
		up->data_verdict = flush(up);
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
		verdict = fail(up, "dot", r);
		up->failure.in_doubt = true;
		return verdict;
	}
	verdict = judge(up, "dot");
	if (up->state ==
	    DATA) /* Postfix keeps a transaction that its restrictions refused here */
		enter(up, verdict == UPSTREAM_OK ? READY : STALE);
	return verdict;
}

void upstream_reset(struct upstream *up)
{
	if (up->state == TRANSACTION)
		enter(up, STALE);
	else if (up->state == DATA || up->state == CLOSED)
		hang_up(up);
	pw_buf_reset(&up->out);
	up->stuff = (struct dot_stuff){ 0 };
	up->data_verdict = UPSTREAM_OK;
}
