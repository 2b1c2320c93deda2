#include "origin/engine/link.h"

#include "io/clock.h"

#define HELO_MAX 255

enum pw_status link_ask(struct smtp_client *client, struct pw_str command,
                        int64_t deadline_ms)
{
	enum pw_status r = smtp_client_send(client, command, deadline_ms);

	return r == PW_OK ? smtp_client_receive(client, deadline_ms) : r;
}

void link_put_ehlo(struct pw_buf *out, struct pw_str name)
{
	name = pw_str_sub(name, 0, HELO_MAX);
	pw_buf_puts(out, PW_STR("EHLO "));
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.at[i];

		pw_buf_putc(out, c > ' ' && c != 0x7f ? name.at[i] : '?');
	}
	pw_buf_puts(out, PW_STR("\r\n"));
}

struct upstream_offers link_offers(const struct smtp_reply *ehlo)
{
	return (struct upstream_offers){ smtp_reply_offers(ehlo),
		                         smtp_reply_size_max(ehlo) };
}

/* The addresses share what time there is: a dead one leaves some to the next. */
static enum pw_status dial(struct smtp_client *client,
                           const struct upstream_target *target, int64_t deadline_ms)
{
	int64_t now_ms = pw_clock_mono_ms(), end_ms = now_ms + target->connect_ms;
	enum pw_status r = PW_ERR_AWAY;

	if (end_ms > deadline_ms)
		end_ms = deadline_ms;
	for (size_t i = 0; i < target->count; i++, now_ms = pw_clock_mono_ms()) {
		int64_t share_ms = (end_ms - now_ms) / (int64_t)(target->count - i);

		smtp_client_close(client);
		r = smtp_client_connect(
			client, (const struct sockaddr *)&target->addresses[i].address,
			target->addresses[i].len, now_ms + share_ms);
		if (r == PW_OK)
			return r;
	}
	return r;
}

/* EHLO in our own name. */
static enum pw_status hello(struct smtp_client *client,
                            const struct upstream_target *target, int64_t deadline_ms,
                            struct upstream_offers *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	enum pw_status r;

	link_put_ehlo(&line, pw_str_from(target->hello));
	if ((r = link_ask(client, pw_buf_str(&line), deadline_ms)) != PW_OK)
		return r;
	if (client->reply.code != 250)
		return PW_ERR_DENIED;
	*out = link_offers(&client->reply);
	return PW_OK;
}

static enum pw_status start_tls(struct smtp_client *client,
                                const struct upstream_target *target, int64_t deadline_ms,
                                const struct upstream_offers *offers)
{
	enum pw_status r;

	if (!(offers->words & OFFER_STARTTLS))
		return PW_ERR_DENIED;
	if ((r = link_ask(client, PW_STR("STARTTLS\r\n"), deadline_ms)) != PW_OK)
		return r;
	if (client->reply.code != 220)
		return PW_ERR_DENIED;
	return smtp_client_start_tls(client, target->tls, deadline_ms);
}

enum pw_status link_open(struct smtp_client *client, const struct upstream_target *target,
                         int64_t deadline_ms, struct upstream_offers *out,
                         const char **step_out)
{
	enum pw_status r;

	*step_out = "connect";
	if ((r = dial(client, target, deadline_ms)) != PW_OK)
		return r;
	*step_out = "greeting";
	if ((r = smtp_client_receive(client, deadline_ms)) != PW_OK)
		return r;
	if (client->reply.code != 220)
		return PW_ERR_DENIED;
	*step_out = "ehlo";
	if ((r = hello(client, target, deadline_ms, out)) != PW_OK || !target->tls)
		return r;
	*step_out = "tls";
	if ((r = start_tls(client, target, deadline_ms, out)) != PW_OK)
		return r;
	*step_out = "ehlo";
	return hello(client, target, deadline_ms, out);
}
