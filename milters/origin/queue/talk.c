#include "origin/queue/talk.h"

#include <stdlib.h>
#include <unistd.h>

#include "io/clock.h"
#include "origin/queue/answer.h"

/* smtpd_proxy_filter holds the session while its client dawdles: smtpd_timeout is 300 s.
 */
#define IDLE_MS 600000
#define ERRORS_MAX 20

/* What the front ends say. */

void talk_say(struct talk *t, int code, const char *enhanced, const char *text)
{
	answer_say(&t->wire.out, code, enhanced, text);
}

void talk_pass(struct talk *t, const struct smtp_reply *reply)
{
	answer_put(&t->wire.out, reply->code, reply->enhanced, pw_buf_str(&reply->text));
}

void talk_defer(struct talk *t, enum pw_status status)
{
	talk_say(t, 451, record_enhanced(status), RECORD_LATER);
}

/* Who the client is. */

struct record talk_record(const struct talk *t)
{
	return (struct record){
		.front = t->front->name,
		.queue_id = t->xforward.ident.len ? t->xforward.ident.text : NULL,
		.client = talk_origin(t),
		.address = pw_buf_str(&t->address),
		.sender = pw_buf_str(&t->sender),
	};
}

const char *talk_objection(struct talk *t)
{
	xforward_origin(&t->xforward, &t->origin);
	t->origin.at_ms = pw_clock_wall_ms();
	pw_buf_reset(&t->address);
	pw_ip_put(&t->address, t->origin.address);
	if (!t->xforward.is_told)
		return "untold"; /* XFORWARD is off in Postfix: never as from us */
	if (t->front->takes_local && t->xforward.is_local && !talk_origin(t))
		return NULL;
	return gate_objects(&t->derived->gate, &t->origin);
}

const struct pw_origin *talk_origin(const struct talk *t)
{
	return t->origin.address.family == PW_IP_NONE ? NULL : &t->origin;
}

void talk_learn(struct talk *t, enum upstream_verdict verdict, const char *rcpt)
{
	record_count_recipient(verdict);
	known_learn(t->fallback->known, pw_str_from(rcpt), verdict,
	            upstream_reply(t->up));
	if (verdict != UPSTREAM_OK)
		return;
	outgoing_rcpt(t->outgoing, pw_str_from(rcpt));
	t->letter.recipients++;
}

/* Transactions. */

void talk_begin(struct talk *t)
{
	t->has_mail = true;
	t->letter.started_ms = pw_clock_mono_ms();
	pw_buf_reset(&t->sender);
	pw_buf_puts(&t->sender, record_bare(t->command.argv[0]));
	outgoing_begin(t->outgoing, pw_buf_str(&t->sender));
}

static void clear_letter(struct letter *l)
{
	pw_buf_reset(&l->piece);
	pw_buf_reset(&l->top);
	pw_buf_reset(&l->trace);
	pw_buf_reset(&l->rest);
	l->recipients = l->bytes = 0;
	l->is_wanted = l->has_top = l->has_header = false;
	l->reader = (struct data_reader){ 0 };
	l->header = (struct header_filter){ 0 };
}

/* Clears XFORWARD too, as Postfix's own smtpd does: what comes next on a cached session
 * is somebody else's. */
void talk_end(struct talk *t)
{
	if (t->front->reset)
		t->front->reset(t);
	outgoing_reset(t->outgoing);
	upstream_reset(t->up);
	clear_letter(&t->letter);
	t->has_mail = false;
	t->xforward = (struct xforward){ 0 };
	t->origin = (struct pw_origin){ 0 };
}

/* Commands. */

static void on_hello(struct talk *t)
{
	struct pw_buf *out = &t->wire.out;

	if (t->command.verb != t->front->hello) {
		talk_say(t, 502, "5.5.1", "Another greeting is spoken here");
		return;
	}
	talk_end(t);
	t->is_greeted = true;
	pw_buf_printf(out, "250-%s\r\n", t->derived->name);
	pw_buf_puts(out, PW_STR("250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n"
	                        "250-SMTPUTF8\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n"
	                        "250 " XFORWARD_OFFER "\r\n"));
}

static void on_xforward(struct talk *t)
{
	if (t->has_mail) {
		talk_say(t, 503, "5.5.1", "A message is on its way");
	} else if (xforward_take(&t->xforward, t->command.rest) != PW_OK) {
		talk_say(t, 501, "5.5.4", "Bad XFORWARD");
	} else {
		talk_say(t, 250, "2.0.0", "Ok");
		if (t->front->told)
			t->front->told(t);
	}
}

static void on_mail(struct talk *t)
{
	if (t->has_mail)
		talk_say(t, 503, "5.5.1", "Nested MAIL");
	else
		t->front->mail(t);
}

static void on_rcpt(struct talk *t)
{
	if (!t->has_mail)
		talk_say(t, 503, "5.5.1", "Need MAIL first");
	else
		t->front->rcpt(t);
}

static void on_data(struct talk *t)
{
	if (!t->has_mail)
		talk_say(t, 503, "5.5.1", "Need MAIL first");
	else
		t->front->data(t);
}

static void on_rset(struct talk *t)
{
	talk_end(t);
	talk_say(t, 250, "2.0.0", "Ok");
}

static void on_noop(struct talk *t)
{
	talk_say(t, 250, "2.0.0", "Ok");
}

static void on_quit(struct talk *t)
{
	talk_say(t, 221, "2.0.0", "Bye");
	t->is_over = true;
}

static void complain(struct talk *t, int code, const char *text)
{
	talk_say(t, code, "5.5.2", text);
	if (++t->errors < ERRORS_MAX)
		return;
	talk_say(t, 421, "4.7.0", "Too many errors");
	t->is_over = true;
}

static void serve(struct talk *t, struct pw_str line)
{
	static const struct {
		void (*run)(struct talk *t);
		bool needs_greeting;
	} handlers[COMMAND_VERBS] = {
		[COMMAND_LHLO] = { on_hello, false },
		[COMMAND_EHLO] = { on_hello, false },
		[COMMAND_HELO] = { on_hello, false },
		[COMMAND_XFORWARD] = { on_xforward, true },
		[COMMAND_MAIL] = { on_mail, true },
		[COMMAND_RCPT] = { on_rcpt, true },
		[COMMAND_DATA] = { on_data, true },
		[COMMAND_RSET] = { on_rset, false },
		[COMMAND_NOOP] = { on_noop, false },
		[COMMAND_QUIT] = { on_quit, false },
	};
	enum pw_status r = command_parse(&t->command, line);

	if (t->command.verb == COMMAND_UNKNOWN)
		complain(t, 502, "Unknown command");
	else if (r != PW_OK)
		complain(t, 501, "Bad syntax");
	else if (handlers[t->command.verb].needs_greeting && !t->is_greeted)
		complain(t, 503, "Greet first");
	else
		handlers[t->command.verb].run(t);
}

/* Life. */

/* Why no more is read; a peer that is gone is told nothing. */
static void part(struct talk *t, enum wire_event event)
{
	t->is_over = true;
	if (event == WIRE_LONG)
		talk_say(t, 421, "4.5.2", "Line too long");
	else if (event == WIRE_SILENT)
		talk_say(t, 421, "4.4.2", "Nothing heard for too long");
	else if (event == WIRE_STOP)
		talk_say(t, 421, "4.3.2", "Restarting");
}

static void converse(struct talk *t)
{
	pw_buf_printf(&t->wire.out, "220 %s %s postward-origin\r\n", t->derived->name,
	              t->front->protocol);
	while (!t->is_over) {
		struct pw_str line;
		enum wire_event event = wire_line(&t->wire, &line, !t->has_mail,
		                                  pw_clock_mono_ms() + IDLE_MS);

		if (event == WIRE_OK)
			serve(t, line);
		else
			part(t, event);
	}
	(void)wire_flush(&t->wire); /* a last word; nobody may be there to hear it */
}

static enum pw_status open_talk(struct talk *t)
{
	enum pw_status r;

	if ((r = upstream_new(&t->up, &t->derived->target)) != PW_OK ||
	    (r = outgoing_new(&t->outgoing, t->up, t->fallback->doubt,
	                      t->fallback->folder)) != PW_OK)
		return r;
	return t->front->open ? t->front->open(t) : PW_OK;
}

static void close_talk(struct talk *t)
{
	if (t->front->close)
		t->front->close(t);
	outgoing_free(&t->outgoing);
	upstream_free(&t->up);
	wire_done(&t->wire);
	pw_buf_done(&t->sender);
	pw_buf_done(&t->address);
	pw_buf_done(&t->letter.piece);
	pw_buf_done(&t->letter.top);
	pw_buf_done(&t->letter.trace);
	pw_buf_done(&t->letter.rest);
	kit_live_put(t->live, &t->held);
	free(t);
}

void talk_serve(const struct front *front, const struct talk_world *world, int fd)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (!t) {
		close(fd);
		return;
	}
	t->front = front;
	t->live = world->live;
	t->fallback = world->fallback;
	t->held = kit_live_get(t->live);
	t->set = t->held->set;
	t->derived = t->held->derived;
	wire_init(&t->wire, fd, world->stop_fd);
	t->letter.top.max = HEADER_TOP_MAX;
	if (open_talk(t) == PW_OK)
		converse(t);
	close_talk(t);
}
