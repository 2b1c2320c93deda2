#include "origin/engine/xclient.h"

#include "core/ascii.h"
#include "core/xtext.h"
#include "origin/engine/smtp_reply.h"

static const struct pw_str unavailable = { "[UNAVAILABLE]", 13 };
static const struct pw_str tempunavail = { "[TEMPUNAVAIL]", 13 };

bool xclient_is_hostname(struct pw_str text)
{
	bool has_letter = false;

	if (text.len == 0 || text.len > 255)
		return false;
	while (text.at) {
		struct pw_str label = pw_str_cut(&text, '.');

		if (label.len == 0 || label.len > 63 || label.at[0] == '-' ||
		    label.at[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++) {
			if (!pw_is_alnum(label.at[i]) && label.at[i] != '-' &&
			    label.at[i] != '_')
				return false;
			has_letter |= !pw_is_digit(label.at[i]);
		}
	}
	return has_letter; /* all digits is an address, not a name */
}

static struct pw_str no_name(const struct pw_origin *origin)
{
	return origin->name_state == PW_NAME_TEMPORARY ? tempunavail : unavailable;
}

/* A value that cannot be sent is [UNAVAILABLE]; a longer one is cut between two
 * characters. */
static void put_value(struct pw_buf *out, struct pw_str value)
{
	if (value.len == 0)
		pw_buf_puts(out, unavailable);
	else
		(void)pw_xtext_encode_max(out, value, XCLIENT_VALUE);
}

static void put_name(struct pw_buf *out, const struct pw_origin *origin)
{
	if (origin->name_state == PW_NAME_KNOWN && xclient_is_hostname(origin->name))
		put_value(out, origin->name);
	else
		pw_buf_puts(out, no_name(origin));
}

static void put_reverse_name(struct pw_buf *out, const struct pw_origin *origin)
{
	if (xclient_is_hostname(origin->ptr))
		put_value(out, origin->ptr);
	else if (origin->name_state == PW_NAME_KNOWN && xclient_is_hostname(origin->name))
		put_value(out, origin->name);
	else
		pw_buf_puts(out, no_name(origin));
}

static void put_ip(struct pw_buf *out, struct pw_ip ip)
{
	if (ip.family == PW_IP_NONE) {
		pw_buf_puts(out, unavailable);
		return;
	}
	if (ip.family == PW_IP_V6)
		pw_buf_puts(out, PW_STR("IPV6:"));
	pw_ip_put(out, ip);
}

static void put_port(struct pw_buf *out, uint16_t port)
{
	if (port == 0)
		pw_buf_puts(out, unavailable);
	else
		pw_buf_put_int(out, port);
}

static void put_address(struct pw_buf *out, const struct pw_origin *origin)
{
	put_ip(out, pw_ip_unmap(origin->address));
}

static void put_client_port(struct pw_buf *out, const struct pw_origin *origin)
{
	put_port(out, origin->port);
}

static void put_server_address(struct pw_buf *out, const struct pw_origin *origin)
{
	put_ip(out, pw_ip_unmap(origin->server_address));
}

static void put_server_port(struct pw_buf *out, const struct pw_origin *origin)
{
	put_port(out, origin->server_port);
}

static void put_helo(struct pw_buf *out, const struct pw_origin *origin)
{
	put_value(out, origin->helo);
}

static void put_protocol(struct pw_buf *out, const struct pw_origin *origin)
{
	bool is_plain = pw_str_eq_nocase(origin->protocol, PW_STR("SMTP"));

	pw_buf_puts(out, is_plain ? PW_STR("SMTP") : PW_STR("ESMTP"));
}

static void put_login(struct pw_buf *out, const struct pw_origin *origin)
{
	put_value(out, origin->login);
}

/* clang-format off */
static const struct attribute {
	const char *name;
	unsigned offer;
	void (*put)(struct pw_buf *out, const struct pw_origin *origin);
} attributes[] = {
	{ "NAME",         OFFER_NAME,         put_name },
	{ "REVERSE_NAME", OFFER_REVERSE_NAME, put_reverse_name },
	{ "DESTADDR",     OFFER_DESTADDR,     put_server_address },
	{ "DESTPORT",     OFFER_DESTPORT,     put_server_port },
	{ "PORT",         OFFER_PORT,         put_client_port },
	/* from here on: always together in the last command */
	{ "HELO",         OFFER_HELO,         put_helo },
	{ "PROTO",        OFFER_PROTO,        put_protocol },
	{ "LOGIN",        OFFER_LOGIN,        put_login },
	{ "ADDR",         OFFER_ADDR,         put_address },
};
/* clang-format on */
#define FIRST_OF_LAST 5

static void put_command(struct pw_buf *out, const struct pw_origin *origin,
                        unsigned offers, size_t first, size_t end)
{
	pw_buf_puts(out, PW_STR("XCLIENT"));
	for (size_t i = first; i < end; i++) {
		if (!(offers & attributes[i].offer))
			continue;
		pw_buf_printf(out, " %s=", attributes[i].name);
		attributes[i].put(out, origin);
	}
	pw_buf_puts(out, PW_STR("\r\n"));
}

static enum pw_status check(struct pw_buf *scratch, const struct pw_origin *origin,
                            unsigned offers)
{
	if (!(offers & OFFER_ADDR) || !(offers & OFFER_NAME))
		return PW_ERR_DENIED;
	if (origin->login.len > 0 && !(offers & OFFER_LOGIN))
		return PW_ERR_DENIED; /* it would be a stranger's mail inside */
	if (origin->address.family == PW_IP_NONE)
		return PW_ERR_NOTFOUND;
	if (pw_xtext_encode_max(scratch, origin->login, XCLIENT_VALUE) <
	    origin->login.len)
		return PW_ERR_LIMIT; /* a cut login would be somebody else's */
	return pw_buf_status(scratch);
}

enum pw_status xclient_build(struct pw_buf *out, const struct pw_origin *origin,
                             unsigned offers)
{
	PW_AUTO(pw_buf_done) struct pw_buf scratch = { 0 };
	size_t start = out->len;
	enum pw_status r = check(&scratch, origin, offers);

	if (r != PW_OK)
		return r;
	put_command(out, origin, offers, 0, PW_LEN(attributes));
	if (out->len - start > XCLIENT_LINE) {
		pw_buf_truncate(out, start);
		put_command(out, origin, offers, 0, FIRST_OF_LAST);
		put_command(out, origin, offers, FIRST_OF_LAST, PW_LEN(attributes));
	}
	return pw_buf_status(out);
}
