/* What can only be seen by asking others: DNS, lists, other mail hosts. */
#include "tools/check/network.h"

#include <string.h>

#include "io/clock.h"
#include "tools/addresses.h"
#include "tools/database.h"
#include "tools/dns/rows.h"
#include "tools/probe.h"
#include "tools/resolver.h"

#define DNS_TIMEOUT_MS 8000
#define SMTP_TIMEOUT_MS 5000
#define PORT_SMTP 25
#define PORT_SMTPS 465

static int64_t within(const struct check_context *context, int64_t ms)
{
	int64_t end = pw_clock_mono_ms() + ms;

	return end < context->deadline_ms ? end : context->deadline_ms;
}

static struct pw_resolver *open_resolver(struct check_report *report,
                                         const struct check_context *context)
{
	int code;
	struct pw_resolver *resolver =
		tool_resolver_open(context->opt->zone, context->opt->dns_servers, &code);

	if (resolver == NULL)
		check_blind(report, "there is no DNS server to ask");
	return resolver;
}

/* NULL where there is none to be had; the check of the connection tells why. */
static struct pw_db_session *open_database(const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf conninfo = { 0 }, why = { 0 };
	struct pw_db_session *session = NULL;

	if (context->role == CHECK_EDGE)
		return NULL;
	check_put_conninfo(&conninfo, context);
	return tool_database_connect(&session, pw_buf_text(&conninfo), &why) == PW_OK
	               ? session
	               : NULL;
}

/* ---- our records ---- */

static void tell(struct check_report *report, const struct dns_record *r)
{
	PW_AUTO(pw_buf_done) struct pw_buf wanted = { 0 };

	if (r->problem.len == 0)
		return;
	if (r->state == DNS_SEEN_UNKNOWN) {
		check_blind(report, "%.*s %.*s: %.*s", PW_FMT(r->name), PW_FMT(r->type),
		            PW_FMT(r->problem));
		return;
	}
	(pw_str_eq(r->kind, PW_STR("dmarc")) ? check_warning : check_error)(
		report, "%.*s %.*s: %.*s%s%.*s", PW_FMT(r->name), PW_FMT(r->type),
		PW_FMT(r->problem), r->seen.len > 0 ? "; DNS says " : "",
		PW_FMT(r->seen));
	dns_record_put(&wanted, r);
	check_cure(report, "publish in DNS: %s", pw_buf_text(&wanted));
}

void check_dns(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_db_session_close)
	struct pw_db_session *session = open_database(context);
	PW_AUTO(pw_resolver_close) struct pw_resolver *resolver = NULL;
	PW_AUTO(dns_survey_done) struct dns_survey survey = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r;

	if (session == NULL) {
		check_skip(report, "the database cannot be reached");
		return;
	}
	if ((resolver = open_resolver(report, context)) == NULL)
		return;
	r = dns_rows_read(&survey, session, NULL, 0, false, &why);
	if (r == PW_OK)
		r = dns_survey_run(&survey, resolver, within(context, DNS_TIMEOUT_MS));
	if (r != PW_OK) {
		check_blind(report, "%s",
		            why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
		return;
	}
	for (size_t i = 0; i < survey.count; i++)
		tell(report, &survey.at[i]);
	if (survey.count == 0)
		check_skip(report, "there is no domain yet");
}

/* ---- lists ---- */

/* clang-format off */
static const struct list lists[] = {
	{ "zen.spamhaus.org", true,  "https://check.spamhaus.org/" },
	{ "bl.spamcop.net",   false, "https://www.spamcop.net/bl.shtml" },
	{ "psbl.surriel.com", false, "https://psbl.org/" },
	{ "bl.mailspike.net", false, "https://mailspike.io/ip_verify" },
};
/* clang-format on */

/* 127.255.255.x: the list does not answer whoever asks this way. */
static bool is_refusal(const struct pw_dns_answer *answer)
{
	static const uint8_t refusal[] = { 127, 255, 255 };

	return answer->count > 0 &&
	       memcmp(answer->records[0].ip.bytes, refusal, sizeof(refusal)) == 0;
}

/* Any other address than 127.x is no answer of a list, but of who bought its name. */
static bool is_listing(const struct pw_dns_answer *answer)
{
	return answer->count > 0 && answer->records[0].ip.bytes[0] == 127 &&
	       !is_refusal(answer);
}

bool judge_listing(struct check_report *report, const struct list *list, struct pw_ip ip,
                   const struct pw_dns_answer *answer, const struct pw_dns_answer *test)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, code = { 0 };

	if (is_refusal(answer) || is_refusal(test)) {
		check_blind(report,
		            "%s answers no questions that come through this DNS server",
		            list->zone);
		check_cure(report, "apt install unbound && echo nameserver 127.0.0.1 "
		                   ">/etc/resolv.conf");
		return true;
	}
	if (!is_listing(test) || pw_dns_is_error(answer))
		return false;
	if (!is_listing(answer))
		return true;
	pw_ip_put(&text, ip);
	pw_ip_put(&code, answer->records[0].ip);
	check_error(report, "%s is on the list %s (%s): many hosts refuse its mail",
	            pw_buf_text(&text), list->zone, pw_buf_text(&code));
	check_cure(report, "have it taken off at %s", list->page);
	return true;
}

static size_t own_addresses(const struct check_context *context, struct pw_ip *out,
                            size_t max)
{
	PW_AUTO(pw_db_session_close)
	struct pw_db_session *session = open_database(context);
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	size_t count = 0;

	if (session != NULL &&
	    pw_db_session_exec(session, "SELECT host(address) FROM mail.mx_addresses()",
	                       NULL, 0, INT64_MAX, &rows) == PW_OK)
		for (size_t i = 0; i < pw_db_rows(rows) && count < max; i++)
			if (pw_ip_parse(&out[count], pw_db_value(rows, i, 0)) == PW_OK)
				count++;
	return count > 0 ? count : addresses_public(out, max);
}

struct listing {
	const struct list *list;
	struct pw_ip ip;
	struct pw_dns_ticket *ticket, *test;
};

static enum pw_status ask_list(struct pw_dns_ticket **out, struct pw_resolver *resolver,
                               struct pw_ip ip, const struct list *list)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	struct pw_dns_question question = { .type = PW_DNS_A };
	enum pw_status r;

	pw_ip_put_reversed(&name, ip);
	pw_buf_printf(&name, ".%s", list->zone);
	if ((r = pw_buf_status(&name)) != PW_OK)
		return r;
	question.name = pw_buf_str(&name);
	return pw_dns_ask(resolver, &question, out);
}

/* Returns whether the list answered. */
static bool hear_list(struct check_report *report, const struct check_context *context,
                      struct listing *one, int64_t deadline_ms)
{
	struct pw_dns_answer answer, test;
	bool is_heard = false;

	if (one->ticket != NULL && one->test != NULL &&
	    pw_dns_wait(&one->ticket, deadline_ms, context->arena, &answer) == PW_OK &&
	    pw_dns_wait(&one->test, deadline_ms, context->arena, &test) == PW_OK)
		is_heard = judge_listing(report, one->list, one->ip, &answer, &test);
	pw_dns_drop(&one->ticket);
	pw_dns_drop(&one->test);
	return is_heard;
}

void check_lists(struct check_report *report, const struct check_context *context)
{
	static const struct pw_ip listed = { .family = PW_IP_V4,
		                             .bytes = { 127, 0, 0, 2 } };
	PW_AUTO(pw_resolver_close) struct pw_resolver *resolver = NULL;
	struct listing all[PW_LEN(lists) * ADDRESSES_MAX] = { 0 };
	struct pw_ip own[ADDRESSES_MAX];
	size_t count = own_addresses(context, own, ADDRESSES_MAX), n = 0, heard = 0;
	int64_t deadline_ms = within(context, DNS_TIMEOUT_MS);

	if (count == 0) {
		check_skip(report, "no public address is known");
		return;
	}
	if ((resolver = open_resolver(report, context)) == NULL)
		return;
	for (size_t i = 0; i < count * PW_LEN(lists); i++) {
		struct listing one = { .list = &lists[i % PW_LEN(lists)],
			               .ip = own[i / PW_LEN(lists)] };

		if (one.ip.family == PW_IP_V6 && !one.list->has_v6)
			continue;
		if (ask_list(&one.ticket, resolver, one.ip, one.list) == PW_OK)
			(void)!ask_list(&one.test, resolver, listed, one.list);
		all[n++] = one;
	}
	for (size_t i = 0; i < n; i++)
		heard += hear_list(report, context, &all[i], deadline_ms);
	if (heard == 0)
		check_blind(report, "none of the lists answers");
}

/* ---- outgoing SMTP ---- */

bool parse_relay(struct pw_str relayhost, struct pw_str *host_out, unsigned int *port_out)
{
	struct pw_str host = relayhost, port = { 0 };
	unsigned int number;

	if (host.len > 0 && host.at[0] == '[') {
		port = pw_str_sub(host, 1, host.len);
		host = pw_str_cut(&port, ']');
		if (port.len > 0 && port.at[0] == ':')
			port = pw_str_sub(port, 1, port.len);
	} else {
		port = host;
		host = pw_str_cut(&port, ':');
	}
	number = port.len > 0 ? postconf_port_number(port) : PORT_SMTP;
	if (host.len == 0 || number == 0)
		return false;
	*host_out = host;
	*port_out = number;
	return true;
}

/* The first IPv4 address of a host, or the address it is. */
static bool find_address(struct pw_resolver *resolver,
                         const struct check_context *context, struct pw_str host,
                         struct pw_ip *out)
{
	const struct pw_dns_question question = { PW_DNS_A, host };
	struct pw_dns_answer answer;

	if (pw_ip_parse(out, host) == PW_OK)
		return true;
	if (pw_dns_lookup(resolver, &question, within(context, SMTP_TIMEOUT_MS),
	                  context->arena, &answer) != PW_OK ||
	    answer.count == 0)
		return false;
	*out = answer.records[0].ip;
	return true;
}

static void put_try(struct pw_buf *out, struct pw_str host, unsigned int port,
                    const char *what)
{
	pw_buf_printf(out, "%s%.*s port %u: %s", out->len > 0 ? "; " : "", PW_FMT(host),
	              port, what);
}

static bool try_host(struct pw_buf *failures, struct pw_resolver *resolver,
                     const struct check_context *context, struct pw_str host,
                     unsigned int port, bool *is_known_out)
{
	enum probe_result result;
	struct pw_ip ip;

	if (!find_address(resolver, context, host, &ip)) {
		put_try(failures, host, port, "its address cannot be found");
		return false;
	}
	*is_known_out = true;
	/* behind TLS nobody says anything of his own accord */
	result = probe_tcp(ip, port, port == PORT_SMTPS ? PROBE_CONNECT : PROBE_SMTP,
	                   within(context, SMTP_TIMEOUT_MS));
	if (result != PROBE_FINE)
		put_try(failures, host, port, probe_text(result));
	return result == PROBE_FINE;
}

void check_outbound(struct check_report *report, const struct check_context *context)
{
	static const char *const known[] = { "gmail-smtp-in.l.google.com",
		                             "in1-smtp.messagingengine.com" };
	PW_AUTO(pw_resolver_close)
	struct pw_resolver *resolver = open_resolver(report, context);
	PW_AUTO(pw_buf_done) struct pw_buf failures = { 0 };
	struct pw_str relay = postconf_value(&context->postfix, NULL, "relayhost");
	struct pw_str host = { 0 };
	bool is_well = false, is_known = false;
	unsigned int port = PORT_SMTP;

	if (resolver == NULL)
		return;
	if (context->opt->probe != NULL)
		relay = pw_str_from(context->opt->probe);
	if (relay.len > 0 && parse_relay(relay, &host, &port))
		is_well = try_host(&failures, resolver, context, host, port, &is_known);
	for (size_t i = 0; relay.len == 0 && !is_well && i < PW_LEN(known); i++)
		is_well = try_host(&failures, resolver, context, pw_str_from(known[i]),
		                   PORT_SMTP, &is_known);
	if (is_well)
		return;
	if (!is_known) {
		check_blind(report, "%s",
		            failures.len > 0 ? pw_buf_text(&failures)
		                             : "relayhost names no host and port");
		return;
	}
	check_error(report, "mail cannot go out: %s", pw_buf_text(&failures));
	if (relay.len > 0)
		check_cure(report, "ip route get %.*s; wg show", PW_FMT(host));
	else
		check_cure(report,
		           "ask the provider to open outgoing port 25, or: postconf -e "
		           "'relayhost = [relay.example.net]:587' && postfix reload");
}

void check_offline(struct check_report *report, const struct check_context *context)
{
	(void)context;
	check_skip(report, "not asked (--no-network)");
}
