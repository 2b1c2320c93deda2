#include "origin/queue/xforward.h"

#include <string.h>

#include "core/ascii.h"
#include "core/xtext.h"

#define AGE_MAX_S ((int64_t)400 * 86400)

typedef enum pw_status (*take_value)(struct xforward *x, struct pw_str value);

static void set(struct xforward_value *out, struct pw_str value)
{
	if (value.len)
		memcpy(out->text, value.at, value.len);
	out->text[value.len] = '\0';
	out->len = value.len;
}

static struct pw_str get(const struct xforward_value *value)
{
	return (struct pw_str){ value->text, value->len };
}

static void set_cut(struct xforward_value *out, struct pw_str value)
{
	set(out, pw_str_sub(value, 0, XFORWARD_VALUE_MAX));
}

static enum pw_status set_whole(struct xforward_value *out, struct pw_str value)
{
	if (value.len > XFORWARD_VALUE_MAX)
		return PW_ERR_LIMIT;
	set(out, value);
	return PW_OK;
}

static enum pw_status take_name(struct xforward *x, struct pw_str value)
{
	x->name_is_temporary = pw_str_eq(value, PW_STR("[TEMPUNAVAIL]"));
	if (x->name_is_temporary)
		value.len = 0;
	set_cut(&x->name, value);
	return PW_OK;
}

static enum pw_status take_address(struct xforward *x, struct pw_str value)
{
	static const struct pw_str v6 = { "IPV6:", 5 };
	bool is_v6 = pw_str_starts_nocase(value, v6); /* smtp(8) writes IPv6: */
	struct pw_ip ip = { 0 };

	if (is_v6)
		value = pw_str_sub(value, v6.len, value.len);
	if (value.len > 0 && pw_ip_parse(&ip, value) != PW_OK)
		return PW_ERR_SYNTAX;
	if (is_v6 && ip.family != PW_IP_V6)
		return PW_ERR_SYNTAX;
	x->address = pw_ip_unmap(ip);
	return PW_OK;
}

static enum pw_status take_port(struct xforward *x, struct pw_str value)
{
	int64_t port = 0;

	if (value.len > 0 && pw_str_to_int64(value, 0, UINT16_MAX, &port) != PW_OK)
		return PW_ERR_SYNTAX;
	x->port = (uint16_t)port;
	return PW_OK;
}

static enum pw_status take_protocol(struct xforward *x, struct pw_str value)
{
	return set_whole(&x->protocol, value);
}

static enum pw_status take_helo(struct xforward *x, struct pw_str value)
{
	set_cut(&x->helo, value);
	return PW_OK;
}

/* It stands in our log as it is. */
static enum pw_status take_ident(struct xforward *x, struct pw_str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!pw_is_alnum(value.at[i]))
			return PW_ERR_SYNTAX;
	return set_whole(&x->ident, value);
}

static enum pw_status take_source(struct xforward *x, struct pw_str value)
{
	x->is_local = pw_str_eq_nocase(value, PW_STR("LOCAL"));
	return x->is_local || value.len == 0 || pw_str_eq_nocase(value, PW_STR("REMOTE"))
	               ? PW_OK
	               : PW_ERR_SYNTAX;
}

static enum pw_status take(struct xforward *x, struct pw_str name, struct pw_str text)
{
	static const struct {
		struct pw_str name;
		take_value take;
	} attributes[] = {
		{ { "NAME", 4 }, take_name },     { { "ADDR", 4 }, take_address },
		{ { "PORT", 4 }, take_port },     { { "PROTO", 5 }, take_protocol },
		{ { "HELO", 4 }, take_helo },     { { "IDENT", 5 }, take_ident },
		{ { "SOURCE", 6 }, take_source },
	};
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	enum pw_status r;

	if (text.len == 0)
		return PW_ERR_SYNTAX;
	if (!pw_str_eq_nocase(text, PW_STR("[UNAVAILABLE]")) &&
	    (r = pw_xtext_decode(&value, text)) != PW_OK)
		return r;
	for (size_t i = 0; i < PW_LEN(attributes); i++)
		if (pw_str_eq_nocase(attributes[i].name, name))
			return attributes[i].take(x, pw_buf_str(&value));
	return PW_ERR_SYNTAX;
}

enum pw_status xforward_take(struct xforward *xforward, struct pw_str attributes)
{
	struct xforward next = *xforward;
	enum pw_status r;

	while (attributes.at) {
		struct pw_str text = pw_str_cut(&attributes, ' ');
		struct pw_str name = pw_str_cut(&text, '=');

		if (name.len == 0 && !text.at)
			continue; /* two blanks */
		if ((r = take(&next, name, text)) != PW_OK)
			return r;
		next.is_told = true;
	}
	*xforward = next;
	return PW_OK;
}

/* Postfix leaves NAME out when it has none: that nothing was said is a definite answer.
 */
static enum pw_name_state name_state(const struct xforward *x)
{
	if (x->name.len)
		return PW_NAME_KNOWN;
	return x->name_is_temporary ? PW_NAME_TEMPORARY : PW_NAME_NONE;
}

void xforward_origin(const struct xforward *xforward, struct pw_origin *out)
{
	*out = (struct pw_origin){
		.address = xforward->address,
		.port = xforward->port,
		.name_state = name_state(xforward),
		.name = get(&xforward->name),
		.helo = get(&xforward->helo),
		.protocol = get(&xforward->protocol),
	};
}

/* Postfix's mail_queue.h: seconds in base 52 (digits and letters that are no vowels), six
 * of them for now; four more for the microseconds; a z. */
int64_t xforward_arrival_s(const struct xforward *xforward, int64_t now_s)
{
	static const struct pw_str digits = {
		"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz", 52
	};
	struct pw_str ident = get(&xforward->ident);
	int64_t at_s = 0;

	if (ident.len < 12 || ident.at[10] != 'z')
		return 0;
	for (size_t i = 0; i < 6; i++) {
		size_t digit = pw_str_find(digits, ident.at[i]);

		if (digit == digits.len)
			return 0;
		at_s = at_s * 52 + (int64_t)digit;
	}
	/* what cannot be is no such id */
	return at_s > now_s - AGE_MAX_S && at_s < now_s + AGE_MAX_S ? at_s : 0;
}
