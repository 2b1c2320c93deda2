/* The client's name and HELO. A DNS error is silence: only definite answers count. */
#include "mail/checks_room.h"

/* Words of providers' names for lines that are not mail hosts. */
static bool has_dynamic_word(struct pw_str name)
{
	static const char *const words[] = { "dyn",    "dsl",       "dial",  "dhcp",
		                             "pool",   "ppp",       "cable", "cust",
		                             "client", "broadband", "catv",  "static-ip",
		                             "modem",  "user",      "home",  "pppoe" };

	for (size_t i = 0; i < PW_LEN(words); i++)
		if (pw_has(name, words[i]))
			return true;
	return false;
}

/* How many octets of an IPv4 address stand in its name as numbers. */
static unsigned octets_in(struct pw_str name, struct pw_ip ip)
{
	unsigned n = 0;

	if (ip.family != PW_IP_V4)
		return 0;
	for (size_t i = 0; i < name.len;) {
		unsigned value = 0;
		size_t start = i;

		while (i < name.len && pw_is_digit(name.at[i]) && i - start < 3)
			value = value * 10 + (unsigned)(name.at[i++] - '0');
		if (i == start) {
			i++;
			continue;
		}
		for (size_t k = 0; k < 4; k++)
			if (ip.bytes[k] == value) {
				n++;
				break;
			}
	}
	return n;
}

static void check_name(const struct pw_check *c)
{
	const struct pw_origin *o = &c->envelope->origin;
	struct pw_str name = o->name.len > 0 ? o->name : o->ptr;
	unsigned octets;

	if (o->name_state == PW_NAME_TEMPORARY)
		return;
	if (o->name_state == PW_NAME_NONE)
		pw_fire(c, o->ptr.len > 0 ? PW_SYM_RDNS_UNCONFIRMED : PW_SYM_RDNS_NONE,
		        o->ptr);
	octets = octets_in(name, o->address);
	if (octets >= 3 || (octets >= 2 && has_dynamic_word(name)))
		pw_fire(c, PW_SYM_RDNS_DYNAMIC, name);
}

static bool is_our_name(const struct pw_check *c, struct pw_str helo)
{
	return pw_str_eq_nocase(helo, c->envelope->our_name) ||
	       pw_check_is_local(c, helo);
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" must be the client's own address. */
static void check_literal(const struct pw_check *c, struct pw_str helo)
{
	struct pw_str inside = pw_str_sub(helo, 1, helo.len > 2 ? helo.len - 2 : 0);
	struct pw_ip ip;

	if (pw_str_starts_nocase(inside, PW_STR("IPv6:")))
		inside = pw_str_sub(inside, 5, inside.len);
	if (pw_ip_parse(&ip, inside) != PW_OK ||
	    !pw_ip_eq(pw_ip_unmap(ip), c->envelope->origin.address))
		pw_fire(c, PW_SYM_HELO_BAD_IP, helo);
}

static void check_helo(const struct pw_check *c)
{
	struct pw_str helo = c->envelope->origin.helo;
	struct pw_ip ip;

	if (helo.len == 0)
		return;
	if (helo.at[0] == '[')
		check_literal(c, helo);
	else if (pw_ip_parse(&ip, helo) == PW_OK)
		pw_fire(c, PW_SYM_HELO_BARE_IP, helo);
	else if (pw_str_eq_nocase(helo, PW_STR("localhost")) ||
	         pw_str_ends_nocase(helo, PW_STR("localhost.localdomain")))
		pw_fire(c, PW_SYM_HELO_LOCALHOST, helo);
	else if (is_our_name(c, helo))
		pw_fire(c, PW_SYM_HELO_IS_US, helo);
	else if (pw_str_find(helo, '.') == helo.len)
		pw_fire(c, PW_SYM_HELO_NOT_FQDN, helo);
}

static void check_sender(const struct pw_check *c)
{
	struct pw_str domain = c->envelope->sender.domain;

	if (c->envelope->has_sender && domain.len > 0 && domain.at[0] != '[' &&
	    pw_str_find(domain, '.') == domain.len)
		pw_fire(c, PW_SYM_FROM_HOST_NOT_FQDN, domain);
}

void pw_check_client(const struct pw_check *c)
{
	check_sender(c);
	if (c->envelope->origin.address.family == PW_IP_NONE ||
	    pw_origin_kind(c->envelope->origin.address) != PW_ORIGIN_PUBLIC)
		return;
	check_name(c);
	check_helo(c);
}
