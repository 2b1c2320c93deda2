/* What the inner server lets this edge do, tried. */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "tools/edge/look.h"
#include "tools/edge/talk.h"
#include "tools/identity.h"
#include "tools/settings_file.h"

#define ORIGIN_USER "postward_origin"
#define TALK_MS 8000
#define FOREIGN "postwardctl-edge-check@example.com" /* RFC 2606 */
#define WANTS_TLS 530                                /* RFC 3207 4 */
#define LONG_LINE 1900 /* below Postfix's line_length_limit, above any MTU's segment */

/* ---- whom, and as whom ---- */

static void free_addresses(struct addrinfo **list)
{
	if (*list != NULL)
		freeaddrinfo(*list);
}

/* An address, or the first of a name. */
static bool find_host(struct pw_ip *out, struct pw_str host)
{
	PW_AUTO(free_addresses) struct addrinfo *list = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char text[NI_MAXHOST];

	if (pw_ip_parse(out, host) == PW_OK)
		return true;
	pw_buf_puts(&name, host);
	return name.len > 0 &&
	       getaddrinfo(pw_buf_text(&name), NULL, &hints, &list) == 0 &&
	       getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof(text), NULL, 0,
	                   NI_NUMERICHOST) == 0 &&
	       pw_ip_parse(out, pw_str_from(text)) == PW_OK;
}

bool edge_inner(struct check_report *report, struct pw_ip *ip_out, unsigned int *port_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct pw_str host, port;
	size_t colon;

	settings_file_value(&value, "postward-origin", "inner", "");
	host = pw_buf_str(&value);
	colon = pw_str_rfind(host, ':');
	port = pw_str_sub(host, colon + 1, host.len);
	host = pw_str_sub(host, 0, colon);
	if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
		host = pw_str_sub(host, 1, host.len - 2);
	*port_out = postconf_port_number(port);
	if (*port_out != 0 && find_host(ip_out, host))
		return true;
	check_error(report,
	            "postward-origin is not told where the inner host is: inner = "
	            "\"%s\"",
	            pw_buf_text(&value));
	check_cure(report, "postwardctl setup --role edge");
	return false;
}

bool edge_become_origin(struct check_report *report)
{
	struct identity who;

	if (identity_find(&who, PW_STR(ORIGIN_USER)) != PW_OK) {
		check_error(report, "there is no user " ORIGIN_USER);
		check_cure(report, "apt install postward-origin");
		return false;
	}
	if (geteuid() == 0 && initgroups(who.name, who.gid) == 0 &&
	    setgid(who.gid) == 0 && setuid(who.uid) == 0)
		return true;
	if (geteuid() == who.uid)
		return true;
	check_blind(report, "only " ORIGIN_USER " may speak to the inner host");
	check_cure(report, "sudo postwardctl edge check");
	return false;
}

/* The context's deadline, less what is needed to tell. */
static int64_t until(const struct check_context *context)
{
	int64_t end = pw_clock_mono_ms() + TALK_MS;

	return end < context->deadline_ms - 1000 ? end : context->deadline_ms - 1000;
}

static void tell_lost(struct check_report *report, struct pw_ip ip, unsigned int port,
                      const char *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_ip_put(&text, ip);
	check_error(report, "the inner server, %s port %u: %s", pw_buf_text(&text), port,
	            why);
	check_cure(report, "wg show; ping -c 3 %s; on the inner host: postwardctl check",
	           pw_buf_text(&text));
}

/* Connected, greeted, and EHLO said; reply: to EHLO. */
static bool begin(struct check_report *report, struct talk *t, struct pw_buf *reply,
                  const struct check_context *context, struct pw_ip ip, unsigned int port)
{
	int error = 0, code;

	if (!talk_open(t, ip, port, until(context), &error)) {
		tell_lost(report, ip, port, strerror(error));
		return false;
	}
	if ((code = talk_hear(t, reply)) == 220)
		code = talk_say(t, reply, "EHLO %.*s", PW_FMT(context->hostname));
	if (code == 250)
		return true;
	pw_buf_puts(reply, PW_STR("\n"));
	if (code < 0)
		tell_lost(report, ip, port,
		          code == TALK_SILENT ? "says nothing" : "hangs up");
	else
		check_error(report, "the inner server greets this edge with %d %.*s",
		            code, PW_FMT(pw_str_trim(pw_buf_str(reply))));
	talk_close(t);
	return false;
}

/* ---- what it offers ---- */

void judge_inner_offer(struct check_report *report, struct pw_str lines, bool is_stamped,
                       int64_t limit, struct pw_str edge, struct pw_str inner)
{
	struct pw_str xclient = talk_keyword(lines, "XCLIENT");
	struct pw_str size = talk_keyword(lines, "SIZE");
	int64_t theirs = 0;

	if (!is_stamped &&
	    (xclient.at == NULL || !pw_str_contains(xclient, PW_STR("ADDR")))) {
		check_error(report, "the inner server offers this edge no XCLIENT: mail "
		                    "waits with the senders");
		check_cure(report,
		           "on the inner host: postconf -P '%.*s:smtp/inet/"
		           "smtpd_authorized_xclient_hosts=%.*s' && postfix reload",
		           PW_FMT(inner), PW_FMT(edge));
	}
	if (size.len == 0 || pw_str_to_int64(size, 0, INT64_MAX, &theirs) != PW_OK ||
	    theirs == 0 || (limit != 0 && limit <= theirs))
		return;
	check_warning(report,
	              "message_size_limit is %" PRId64 ", the inner server's %" PRId64
	              ": what is between is taken from the client and then refused",
	              limit, theirs);
	check_cure(report,
	           "postconf -e 'message_size_limit = %" PRId64 "' && postfix reload",
	           theirs);
}

/* A line longer than a packet: without words about its size, by a host that is silent. */
static void try_long_line(struct check_report *report, struct talk *t,
                          struct pw_buf *reply)
{
	char line[LONG_LINE + 1];

	memset(line, 'x', LONG_LINE);
	line[LONG_LINE] = '\0';
	if (talk_say(t, reply, "NOOP %s", line) != TALK_SILENT)
		return;
	check_error(report, "large packets do not reach the inner server, small ones do");
	check_cure(report, "on both hosts: sed -i 's/^MTU = .*/MTU = 1280/' "
	                   "/etc/wireguard/wg0.conf && wg-quick down wg0 && wg-quick up "
	                   "wg0");
}

void edge_look_inner(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf reply = { 0 }, inner = { 0 }, carry = { 0 };
	struct pw_str text;
	struct talk t;
	struct pw_ip ip;
	unsigned int port;
	int64_t limit = 0;

	settings_file_value(&carry, "postward-origin", "carry", "xclient");
	if (!edge_inner(report, &ip, &port) || !edge_become_origin(report) ||
	    !begin(report, &t, &reply, context, ip, port))
		return;
	text = postconf_value(&context->postfix, NULL, "message_size_limit");
	(void)!pw_str_to_int64(text, 0, INT64_MAX, &limit);
	pw_ip_put(&inner, ip);
	judge_inner_offer(report, pw_buf_str(&reply),
	                  pw_str_eq(pw_buf_str(&carry), PW_STR("stamp")), limit,
	                  context->listen_private, pw_buf_str(&inner));
	try_long_line(report, &t, &reply);
	talk_close(&t);
}

/* ---- what it lets others do ---- */

static void cure_inner(struct check_report *report, struct pw_str inner, const char *name,
                       const char *value)
{
	check_cure(report,
	           "on the inner host: postconf -P '%.*s:smtp/inet/%s=%s' && postfix "
	           "reload",
	           PW_FMT(inner), name, value);
}

void judge_guise(struct check_report *report, const struct edge_guise *guise,
                 struct pw_str edge, struct pw_str inner)
{
	bool is_login = strstr(guise->words, "login") != NULL;

	if (guise->xclient == 501 && strstr(guise->words, ":") != NULL) {
		check_warning(report, "the inner server takes no IPv6 address: mail of "
		                      "such clients waits with the senders");
		check_cure(report,
		           "on the inner host: postconf -e 'inet_protocols = all' "
		           "&& postfix stop && postfix start");
		return;
	}
	if (guise->is_trusted_again) {
		PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

		check_error(report,
		            "the inner server takes XCLIENT from %s too, not from this "
		            "edge alone",
		            guise->words);
		pw_buf_puts(&value, edge);
		cure_inner(report, inner, "smtpd_authorized_xclient_hosts",
		           pw_buf_text(&value));
	}
	if (guise->rcpt >= 200 && guise->rcpt < 300) {
		check_error(report, "the inner server relays to anywhere for %s",
		            guise->words);
		if (is_login)
			cure_inner(report, inner, "smtpd_relay_restrictions",
			           "reject_unauth_destination");
		else
			cure_inner(report, inner, "mynetworks", "");
	} else if (guise->rcpt >= 400 && guise->rcpt < 500) {
		check_blind(report,
		            "whether the inner server relays for %s: it answers %d, not "
		            "yes and not no",
		            guise->words, guise->rcpt);
	}
}

/* Say to be somebody and try to send to a domain of others; nothing goes further than
 * RCPT. Returns false when the connection was lost on the way, which is reported. */
static bool try_guise(struct check_report *report, const struct check_context *context,
                      struct edge_guise *guise, const char *xclient, struct pw_ip ip,
                      unsigned int port)
{
	PW_AUTO(pw_buf_done) struct pw_buf reply = { 0 };
	struct talk t;
	int code = 250;

	if (!begin(report, &t, &reply, context, ip, port))
		return false;
	if (xclient != NULL) {
		code = guise->xclient = talk_say(&t, &reply, "XCLIENT %s", xclient);
		if (code == 220)
			code = talk_say(&t, &reply, "EHLO client.example");
		guise->is_trusted_again =
			code == 250 &&
			talk_keyword(pw_buf_str(&reply), "XCLIENT").at != NULL;
	}
	if (code == 250 && (code = talk_say(&t, &reply, "MAIL FROM:<>")) == 250)
		code = guise->rcpt = talk_say(&t, &reply, "RCPT TO:<" FOREIGN ">");
	if (code > 0)
		(void)talk_say(&t, &reply, "QUIT");
	talk_close(&t);
	if (code == WANTS_TLS) {
		check_blind(report,
		            "whether the inner server relays: it wants TLS first, "
		            "which is not spoken here");
		return false;
	}
	if (code > 0)
		return true;
	check_blind(report, "whether the inner server relays for %s: it %s", guise->words,
	            code == TALK_SILENT ? "says nothing" : "hangs up");
	return true;
}

/* Another host of the tunnel's network. */
static struct pw_ip neighbour(struct pw_ip edge, struct pw_ip inner)
{
	size_t last = edge.family == PW_IP_V6 ? 15 : 3;

	do
		edge.bytes[last] = (uint8_t)(edge.bytes[last] + 16);
	while (pw_ip_eq(edge, inner) || edge.bytes[last] == 0 || edge.bytes[last] == 255);
	return edge;
}

enum whose { NONE, INNER, NEIGHBOUR, FIXED };

/* clang-format off */
static const struct disguise {
	const char *words, *attributes;
	enum whose whose;
	const char *address; /* FIXED */
} disguises[] = {
	{ "this edge without XCLIENT",      NULL,                        NONE,      NULL },
	{ "127.0.0.1",                      "NAME=localhost ",           FIXED,     "127.0.0.1" },
	{ "[::1]",                          "NAME=localhost ",           FIXED,     "IPV6:::1" },
	{ "the inner host's own address",   "",                          INNER,     NULL },
	{ "another address of the VPN",     "",                          NEIGHBOUR, NULL },
	{ "a stranger",                     "NAME=[UNAVAILABLE] ",       FIXED,     "192.0.2.1" },
	{ "a stranger with [2001:db8::1]",  "NAME=[UNAVAILABLE] ",       FIXED,     "IPV6:2001:db8::1" },
	{ "a stranger with a login",        "NAME=[UNAVAILABLE] LOGIN=postmaster ", FIXED, "192.0.2.1" },
};
/* clang-format on */

/* What is said behind XCLIENT; empty = that cannot be. */
static void put_disguise(struct pw_buf *out, const struct disguise *d, struct pw_ip inner,
                         struct pw_str edge)
{
	struct pw_ip ip = inner;

	if (d->whose == NONE ||
	    (d->whose == NEIGHBOUR && pw_ip_parse(&ip, edge) != PW_OK))
		return;
	if (d->whose == NEIGHBOUR)
		ip = neighbour(ip, inner);
	pw_buf_printf(out, "%sADDR=", d->attributes);
	if (d->whose == FIXED) {
		pw_buf_puts(out, pw_str_from(d->address));
		return;
	}
	if (ip.family == PW_IP_V6)
		pw_buf_puts(out, PW_STR("IPV6:"));
	pw_ip_put(out, ip);
}

void edge_look_relay(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf inner = { 0 };
	struct pw_ip ip;
	unsigned int port;

	if (!edge_inner(report, &ip, &port) || !edge_become_origin(report))
		return;
	pw_ip_put(&inner, ip);
	for (size_t i = 0; i < PW_LEN(disguises); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf xclient = { 0 };
		struct edge_guise guise = { .words = disguises[i].words };

		put_disguise(&xclient, &disguises[i], ip, context->listen_private);
		if (disguises[i].whose != NONE && xclient.len == 0)
			continue;
		if (!try_guise(report, context, &guise,
		               xclient.len > 0 ? pw_buf_text(&xclient) : NULL, ip, port))
			return;
		judge_guise(report, &guise, context->listen_private, pw_buf_str(&inner));
	}
}
