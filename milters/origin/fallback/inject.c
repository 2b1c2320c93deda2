#include "origin/fallback/inject.h"

#include <netdb.h>
#include <string.h>

#include "core/ascii.h"
#include "core/xtext.h"
#include "origin/engine/dot_stuff.h"
#include "origin/engine/envelope.h"
#include "origin/engine/smtp_client.h"

#define VALUE_MAX 255   /* encoded bytes of an XFORWARD value */
#define REFUSAL_MAX 800 /* bytes of the inner server's words in one line */
#define BUFFER_BYTES ((size_t)16 * 1024)

/* One conversation. */
struct talk {
	struct smtp_client client;
	struct dot_stuff stuff;
	struct pw_buf out;
	int64_t deadline_ms;
	enum pw_status status; /* of the message's bytes */
};

static void talk_done(struct talk *talk)
{
	smtp_client_done(&talk->client);
	pw_buf_done(&talk->out);
}

/* What goes into the lines. */

static void put_value(struct pw_buf *out, const char *name, struct pw_str value)
{
	pw_buf_printf(out, " %s=", name);
	if (value.len == 0)
		pw_buf_puts(out, PW_STR("[UNAVAILABLE]"));
	else
		(void)pw_xtext_encode_max(out, value, VALUE_MAX);
}

void inject_put_xforward(struct pw_buf *out, const struct pw_origin *origin)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 }, port = { 0 };

	if (origin->address.family == PW_IP_V6)
		pw_buf_puts(&address, PW_STR("IPV6:"));
	pw_ip_put(&address, origin->address);
	if (origin->port)
		pw_buf_put_int(&port, origin->port);
	pw_buf_puts(out, PW_STR("XFORWARD"));
	put_value(out, "NAME", origin->name);
	put_value(out, "ADDR", pw_buf_str(&address));
	put_value(out, "PORT", pw_buf_str(&port));
	pw_buf_puts(out, PW_STR("\r\nXFORWARD"));
	put_value(out, "PROTO",
	          origin->protocol.len ? origin->protocol : PW_STR("ESMTP"));
	put_value(out, "HELO", origin->helo);
	pw_buf_puts(out, PW_STR(" SOURCE=REMOTE\r\n"));
}

void inject_put_refusal(struct pw_buf *out, int code, struct pw_str enhanced,
                        struct pw_str text)
{
	text = pw_str_sub(text, 0, REFUSAL_MAX);
	pw_buf_printf(out, "X-Postward-Refused: %d ", code);
	if (enhanced.len)
		pw_buf_printf(out, "%.*s ", PW_FMT(enhanced));
	for (size_t i = 0; i < text.len; i++)
		pw_buf_putc(out, pw_is_print(text.at[i]) ? text.at[i]
		                 : text.at[i] == '\n'    ? '/'
		                                         : '?');
	pw_buf_puts(out, PW_STR("\r\n"));
}

/* The conversation. */

static void free_list(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

static enum pw_status dial(struct talk *talk, struct pw_str listener,
                           struct pw_buf *why_out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		                  .ai_flags = AI_NUMERICSERV };
	PW_AUTO(free_list) struct addrinfo *list = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf host = { 0 }, port = { 0 };
	size_t colon = pw_str_rfind(listener, ':');
	struct pw_str name = pw_str_sub(listener, 0, colon);
	enum pw_status r = PW_ERR_AWAY;
	int error;

	if (name.len > 2 && name.at[0] == '[' && name.at[name.len - 1] == ']')
		name = pw_str_sub(name, 1, name.len - 2);
	pw_buf_puts(&host, name);
	pw_buf_puts(&port, pw_str_sub(listener, colon + 1, listener.len));
	error = getaddrinfo(pw_buf_text(&host), pw_buf_text(&port), &hints, &list);
	if (error != 0) {
		pw_buf_puts(why_out, pw_str_from(gai_strerror(error)));
		return PW_ERR_CONFIG;
	}
	for (struct addrinfo *a = list; a && r != PW_OK; a = a->ai_next) {
		smtp_client_close(&talk->client);
		r = smtp_client_connect(&talk->client, a->ai_addr, a->ai_addrlen,
		                        talk->deadline_ms);
	}
	return r;
}

/* A reply of that class, or it is a refusal in the listener's words. */
static enum pw_status expect(struct talk *talk, int class, struct pw_buf *why_out)
{
	enum pw_status r = smtp_client_receive(&talk->client, talk->deadline_ms);

	if (r != PW_OK || talk->client.reply.code / 100 == class)
		return r;
	pw_buf_printf(why_out, "%d %s", talk->client.reply.code,
	              pw_buf_text(&talk->client.reply.text));
	return PW_ERR_DENIED;
}

static enum pw_status say(struct talk *talk, struct pw_str line, int class,
                          struct pw_buf *why_out)
{
	enum pw_status r = smtp_client_send(&talk->client, line, talk->deadline_ms);

	return r == PW_OK ? expect(talk, class, why_out) : r;
}

static enum pw_status say_lines(struct talk *talk, struct pw_str lines,
                                struct pw_buf *why_out)
{
	enum pw_status r = PW_OK;

	while (lines.len > 0 && r == PW_OK) {
		size_t len = pw_str_find(lines, '\n') + 1;

		r = say(talk, pw_str_sub(lines, 0, len), 2, why_out);
		lines = pw_str_sub(lines, len, lines.len);
	}
	return r;
}

static enum pw_status greet(struct talk *talk, const struct injection *what,
                            struct upstream_offers *offers_out, struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	enum pw_status r;

	if ((r = dial(talk, pw_str_from(what->listener), why_out)) != PW_OK ||
	    (r = expect(talk, 2, why_out)) != PW_OK)
		return r;
	pw_buf_printf(&line, "EHLO %s\r\n", what->hello);
	if ((r = pw_buf_status(&line)) != PW_OK ||
	    (r = say(talk, pw_buf_str(&line), 2, why_out)) != PW_OK)
		return r;
	offers_out->words = smtp_reply_offers(&talk->client.reply);
	offers_out->size_max = smtp_reply_size_max(&talk->client.reply);
	if (!pw_str_contains(pw_buf_str(&talk->client.reply.text), PW_STR("XFORWARD "))) {
		pw_buf_puts(why_out, PW_STR("offers no XFORWARD"));
		return PW_ERR_DENIED;
	}
	pw_buf_reset(&line);
	inject_put_xforward(&line, what->origin);
	if ((r = pw_buf_status(&line)) != PW_OK)
		return r;
	return say_lines(talk, pw_buf_str(&line), why_out);
}

static enum pw_status put_envelope(struct pw_buf *out, const struct injection *what,
                                   const struct upstream_offers *offers)
{
	if (envelope_mail(out, what->mail, offers) != ENVELOPE_OK)
		return PW_ERR_DENIED;
	for (size_t i = 0; i < what->rcpt_count; i++) {
		char text[1024] = "";
		char *argv[] = { text, NULL };
		size_t len = strlen(what->rcpts[i]);

		if (len >= sizeof(text))
			return PW_ERR_LIMIT;
		memcpy(text, what->rcpts[i], len);
		if (envelope_rcpt(out, argv, offers) != ENVELOPE_OK)
			return PW_ERR_DENIED;
	}
	return pw_buf_status(out);
}

static void flush(struct talk *talk)
{
	if (talk->status == PW_OK)
		talk->status = pw_buf_status(&talk->out);
	if (talk->status == PW_OK)
		talk->status = smtp_client_send(&talk->client, pw_buf_str(&talk->out),
		                                talk->deadline_ms);
	pw_buf_reset(&talk->out);
}

static void write_on(void *user, struct pw_str bytes)
{
	struct talk *talk = user;

	if (talk->status != PW_OK)
		return;
	dot_stuff_put(&talk->out, &talk->stuff, bytes);
	if (talk->out.len >= BUFFER_BYTES)
		flush(talk);
}

/* A message cut short gets no final dot: the listener forgets it. */
static enum pw_status send_message(struct talk *talk, const struct injection *what,
                                   struct pw_buf *why_out)
{
	enum pw_status r = say(talk, PW_STR("DATA\r\n"), 3, why_out);

	if (r != PW_OK)
		return r;
	write_on(talk, what->field);
	if ((r = spool_read(what->message, write_on, talk)) != PW_OK)
		return r;
	dot_stuff_end(&talk->out, &talk->stuff);
	flush(talk);
	return talk->status == PW_OK ? expect(talk, 2, why_out) : talk->status;
}

enum pw_status inject_send(const struct injection *what, struct pw_buf *why_out,
                           int64_t deadline_ms)
{
	PW_AUTO(talk_done) struct talk talk = { .deadline_ms = deadline_ms };
	PW_AUTO(pw_buf_done) struct pw_buf lines = { 0 };
	struct upstream_offers offers = { 0 };
	enum pw_status r;

	smtp_client_init(&talk.client);
	if ((r = greet(&talk, what, &offers, why_out)) != PW_OK ||
	    (r = put_envelope(&lines, what, &offers)) != PW_OK ||
	    (r = say_lines(&talk, pw_buf_str(&lines), why_out)) != PW_OK ||
	    (r = send_message(&talk, what, why_out)) != PW_OK)
		return r;
	(void)!smtp_client_send(&talk.client, PW_STR("QUIT\r\n"), talk.deadline_ms);
	return PW_OK;
}
