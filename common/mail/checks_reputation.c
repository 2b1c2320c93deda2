/* What came from the same places before. */
#include "core/url.h"
#include "mail/checks_room.h"

#define V6_BITS 48

static struct pw_str kept(const struct pw_check *c, const struct pw_buf *text)
{
	struct pw_str copy;

	return pw_arena_copy(c->arena, pw_buf_str(text), &copy) == PW_OK ? copy
	                                                                 : PW_STR("");
}

static void add_network(const struct pw_check *c, struct pw_reputation *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_ip ip = pw_ip_unmap(c->envelope->origin.address);
	struct pw_net net;

	if (ip.family == PW_IP_NONE || pw_ip_is_loopback(ip))
		return;
	net = pw_net_of_client(ip);
	if (ip.family == PW_IP_V6) {
		net.ip.bytes[6] = net.ip.bytes[7] = 0;
		net.bits = V6_BITS;
	}
	pw_net_put(&text, &net);
	pw_reputation_add(out, PW_REPUTATION_NETWORK, kept(c, &text));
}

static void add_domain(const struct pw_check *c, struct pw_reputation *out,
                       enum pw_reputation_kind kind, struct pw_str domain)
{
	struct pw_str org = pw_check_org(c, domain);

	if (!pw_check_is_local(c, org) && !pw_check_is_local(c, domain))
		pw_reputation_add(out, kind, org);
}

static void add_links(const struct pw_check *c, struct pw_reputation *out)
{
	const struct pw_links *links = &c->message->links;

	for (size_t i = 0; i < links->count; i++) {
		struct pw_url url;

		if (pw_url_parse(&url, links->at[i].url) &&
		    pw_str_find(url.host, '.') < url.host.len)
			add_domain(c, out, PW_REPUTATION_URL, url.host);
	}
}

void pw_checks_sources(const struct pw_check *c, struct pw_reputation *out)
{
	*out = (struct pw_reputation){ 0 };
	add_network(c, out);
	if (c->auth != NULL && c->auth->dmarc.result == PW_DMARC_PASS &&
	    c->message->has_from)
		add_domain(c, out, PW_REPUTATION_SENDER, c->message->from.domain);
	for (size_t i = 0; c->auth != NULL && i < c->auth->dkim_count; i++)
		if (c->auth->dkim[i].result == PW_DKIM_PASS)
			add_domain(c, out, PW_REPUTATION_DKIM, c->auth->dkim[i].domain);
	add_links(c, out);
}

static void fire(const struct pw_check *c, const struct pw_reputation_source *source)
{
	/* links to a good place prove nothing: spam has them too */
	static const enum pw_symbol symbols[PW_REPUTATION_KINDS][2] = {
		[PW_REPUTATION_NETWORK] = { PW_SYM_REP_IP_SPAM, PW_SYM_REP_IP_HAM },
		[PW_REPUTATION_SENDER] = { PW_SYM_REP_SENDER_SPAM,
		                           PW_SYM_REP_SENDER_HAM },
		[PW_REPUTATION_DKIM] = { PW_SYM_REP_DKIM_DOMAIN_SPAM,
		                         PW_SYM_REP_DKIM_DOMAIN_HAM },
		[PW_REPUTATION_URL] = { PW_SYM_REP_URL_DOMAIN_SPAM, PW_SYMBOLS },
	};
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	int32_t weight = pw_reputation_weigh(source);
	enum pw_symbol symbol = symbols[source->kind][weight < 0];

	if (weight == 0 || symbol == PW_SYMBOLS)
		return;
	pw_buf_puts(&text, pw_str_sub(source->name, 0, 80));
	pw_buf_puts(&text, PW_STR(", spam "));
	pw_buf_put_int(&text, source->spam_milli / 1000);
	pw_buf_puts(&text, PW_STR(", ham "));
	pw_buf_put_int(&text, source->ham_milli / 1000);
	pw_hits_add(c->hits, symbol, weight < 0 ? -weight : weight, kept(c, &text));
}

void pw_check_reputation(const struct pw_check *c)
{
	for (size_t i = 0; c->reputation != NULL && i < c->reputation->count; i++)
		fire(c, &c->reputation->at[i]);
}
