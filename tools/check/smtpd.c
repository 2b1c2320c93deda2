/* What smtpd lets in: who may send to anywhere, and whether passwords and mail of users
 * are sent encrypted. */
#include "core/origin.h"
#include "tools/check/postfix.h"

#define RELOAD " && postfix reload"

/* A network mask shorter than this in mynetworks is a good part of the Internet. */
#define WIDE_BITS_V4 8
#define WIDE_BITS_V6 16

/* The cure for one parameter of one service. */
static void cure_service(struct check_report *report, const struct postconf_service *s,
                         const char *name, const char *value)
{
	check_cure(report, "postconf -P '%.*s/%.*s/%s=%s'" RELOAD, PW_FMT(s->name),
	           PW_FMT(s->type), name, value);
}

/* ---- relay ---- */

enum gate { GATE_OPEN, GATE_CLOSED };

/* Does a list of restrictions stop strangers from sending to anywhere? */
static enum gate gate_of(struct pw_str list)
{
	static const char *const closing[] = { "reject_unauth_destination",
		                               "defer_unauth_destination", "reject",
		                               "defer" };
	struct pw_str item;

	while (postconf_next_item(&list, &item)) {
		if (pw_str_eq_nocase(item, PW_STR("permit")))
			return GATE_OPEN;
		for (size_t i = 0; i < PW_LEN(closing); i++)
			if (pw_str_eq_nocase(item, pw_str_from(closing[i])))
				return GATE_CLOSED;
	}
	return GATE_OPEN;
}

static bool has_item(struct pw_str list, const char *name)
{
	struct pw_str item;

	while (postconf_next_item(&list, &item))
		if (pw_str_eq_nocase(item, pw_str_from(name)))
			return true;
	return false;
}

/* [2001:db8::]/32 and [2001:db8::1] as pw_net_parse wants them. */
static bool parse_network(struct pw_net *out, struct pw_str item)
{
	PW_AUTO(pw_buf_done) struct pw_buf plain = { 0 };

	for (size_t i = 0; i < item.len; i++)
		if (item.at[i] != '[' && item.at[i] != ']')
			pw_buf_putc(&plain, item.at[i]);
	return pw_net_parse(out, pw_buf_str(&plain)) == PW_OK;
}

/* The first network that is too wide; at == NULL if none is. */
static struct pw_str wide_network(struct pw_str networks)
{
	struct pw_str item;
	struct pw_net net;

	while (postconf_next_item(&networks, &item))
		if (parse_network(&net, item) &&
		    net.bits < (net.ip.family == PW_IP_V4 ? WIDE_BITS_V4 : WIDE_BITS_V6))
			return item;
	return (struct pw_str){ 0 };
}

static void judge_gate(struct check_report *report, const struct postconf *conf,
                       const struct postconf_service *s)
{
	struct pw_str relay = postconf_value(conf, s, "smtpd_relay_restrictions");
	struct pw_str rcpt = postconf_value(conf, s, "smtpd_recipient_restrictions");
	struct pw_str wide = wide_network(postconf_value(conf, s, "mynetworks"));

	if (gate_of(relay) == GATE_OPEN && gate_of(rcpt) == GATE_OPEN) {
		check_error(report, "%.*s is an open relay: anybody may send to anywhere",
		            PW_FMT(s->name));
		cure_service(report, s, "smtpd_relay_restrictions",
		             postconf_is_submission(s)
		                     ? "permit_sasl_authenticated,reject"
		                     : "reject_unauth_destination");
	} else if (wide.at != NULL && (has_item(relay, "permit_mynetworks") ||
	                               has_item(rcpt, "permit_mynetworks"))) {
		check_error(report, "%.*s is an open relay: mynetworks has %.*s",
		            PW_FMT(s->name), PW_FMT(wide));
		check_cure(report,
		           "postconf -e 'mynetworks = 127.0.0.0/8 [::1]/128'" RELOAD);
	}
}

static bool is_internal(struct pw_str address)
{
	enum pw_origin_kind kind;
	struct pw_ip ip;

	if (pw_ip_parse(&ip, address) != PW_OK)
		return false;
	kind = pw_origin_kind(pw_ip_unmap(ip));
	return kind == PW_ORIGIN_LOOPBACK || kind == PW_ORIGIN_PRIVATE;
}

/* Who may use XCLIENT says who the client is. With a network set, an address inside it
 * would be an open relay. */
static void judge_xclient(struct check_report *report, const struct postconf *conf,
                          const struct postconf_service *s)
{
	struct pw_str hosts = postconf_value(conf, s, "smtpd_authorized_xclient_hosts");

	if (hosts.len == 0)
		return;
	if (postconf_value(conf, s, "mynetworks").len > 0) {
		check_error(report,
		            "%.*s takes XCLIENT from %.*s and has mynetworks: an "
		            "address inside may send to anywhere",
		            PW_FMT(s->name), PW_FMT(hosts));
		cure_service(report, s, "mynetworks", "");
	}
	if (postconf_is(conf, s, "smtpd_sasl_auth_enable", "yes")) {
		check_warning(report, "%.*s takes XCLIENT from %.*s and logins as well",
		              PW_FMT(s->name), PW_FMT(hosts));
		cure_service(report, s, "smtpd_sasl_auth_enable", "no");
	}
	if (!is_internal(postconf_address(s))) {
		check_warning(report,
		              "%.*s takes XCLIENT from %.*s, and listens on more than "
		              "an address of the private network",
		              PW_FMT(s->name), PW_FMT(hosts));
		check_cure(report, "postwardctl setup");
	}
}

static bool is_proxied(const struct postconf *conf, const struct postconf_service *s)
{
	return postconf_value(conf, s, "smtpd_upstream_proxy_protocol").len > 0;
}

/* Whoever reaches such a service says who the client is, in front of the first line. */
static void judge_proxied(struct check_report *report, const struct postconf *conf,
                          const struct postconf_service *s)
{
	struct pw_str xclient = postconf_value(conf, s, "smtpd_authorized_xclient_hosts");

	if (!is_internal(postconf_address(s))) {
		check_error(report,
		            "%.*s believes what stands in front about the client "
		            "(PROXY protocol), and listens on more than an address of "
		            "the private network",
		            PW_FMT(s->name));
		check_cure(report, "postwardctl setup");
	}
	if (postconf_value(conf, s, "mynetworks").len > 0) {
		check_error(report,
		            "%.*s believes what stands in front about the client (PROXY "
		            "protocol), and mynetworks gives rights by address",
		            PW_FMT(s->name));
		cure_service(report, s, "mynetworks", "");
	}
	if (xclient.len > 0) {
		check_error(report,
		            "%.*s believes what stands in front about the client (PROXY "
		            "protocol), and takes XCLIENT from %.*s",
		            PW_FMT(s->name), PW_FMT(xclient));
		cure_service(report, s, "smtpd_authorized_xclient_hosts", "");
	}
}

static bool is_among(struct pw_str hosts, struct pw_str address)
{
	struct pw_str item;
	struct pw_net net;
	struct pw_ip ip;

	if (pw_ip_parse(&ip, address) != PW_OK)
		return false;
	while (postconf_next_item(&hosts, &item))
		if (parse_network(&net, item) && pw_net_contains(&net, ip))
			return true;
	return false;
}

void judge_peer(struct check_report *report, const struct postconf *conf,
                struct pw_str peer)
{
	for (size_t i = 0; i < conf->count; i++) {
		const struct postconf_service *s = &conf->services[i];

		if (postconf_is_smtpd(s) &&
		    is_among(postconf_value(conf, s, "smtpd_authorized_xclient_hosts"),
		             peer))
			return;
	}
	check_error(report,
	            "no service takes XCLIENT from the edge host %.*s: its mail waits "
	            "there",
	            PW_FMT(peer));
	check_cure(report, "postwardctl setup");
}

void judge_relay(struct check_report *report, const struct postconf *conf,
                 enum check_role role)
{
	(void)role;
	for (size_t i = 0; i < conf->count; i++) {
		if (!postconf_is_smtpd(&conf->services[i]))
			continue;
		judge_gate(report, conf, &conf->services[i]);
		if (is_proxied(conf, &conf->services[i]))
			judge_proxied(report, conf, &conf->services[i]);
		else
			judge_xclient(report, conf, &conf->services[i]);
	}
}

/* ---- TLS ---- */

/* TLS 1.2 and up: ">=TLSv1.2", the old ones excluded one by one, or the new ones named,
 * which excludes all others. */
static bool is_recent_tls(struct pw_str protocols)
{
	if ((has_item(protocols, "TLSv1.2") || has_item(protocols, "TLSv1.3")) &&
	    !has_item(protocols, "TLSv1.1") && !has_item(protocols, "TLSv1"))
		return true;
	return pw_str_contains(protocols, PW_STR(">=TLSv1.2")) ||
	       pw_str_contains(protocols, PW_STR(">=TLSv1.3")) ||
	       (has_item(protocols, "!TLSv1") && has_item(protocols, "!TLSv1.1"));
}

static void judge_submission_tls(struct check_report *report, const struct postconf *conf,
                                 const struct postconf_service *s)
{
	bool is_wrapped = postconf_is(conf, s, "smtpd_tls_wrappermode", "yes");

	if (!is_wrapped && postconf_port(s) % POSTCONF_THROUGH_EDGE == 465) {
		check_error(report, "%.*s does not begin with TLS, as port 465 has to",
		            PW_FMT(s->name));
		cure_service(report, s, "smtpd_tls_wrappermode", "yes");
	} else if (!is_wrapped &&
	           !postconf_is(conf, s, "smtpd_tls_security_level", "encrypt")) {
		check_error(report, "%.*s takes mail of users without TLS",
		            PW_FMT(s->name));
		cure_service(report, s, "smtpd_tls_security_level", "encrypt");
	}
	if (!postconf_is(conf, s, "smtpd_sasl_auth_enable", "yes")) {
		check_error(report, "%.*s takes no logins", PW_FMT(s->name));
		cure_service(report, s, "smtpd_sasl_auth_enable", "yes");
	}
	if (!is_recent_tls(postconf_value(conf, s, "smtpd_tls_mandatory_protocols"))) {
		check_warning(report, "%.*s offers TLS older than 1.2", PW_FMT(s->name));
		check_cure(
			report,
			"postconf -e 'smtpd_tls_mandatory_protocols = >=TLSv1.2'" RELOAD);
	}
}

static void judge_auth_only(struct check_report *report, const struct postconf *conf,
                            const struct postconf_service *s)
{
	if (!postconf_is(conf, s, "smtpd_sasl_auth_enable", "yes"))
		return;
	if (!postconf_is(conf, s, "smtpd_tls_auth_only", "yes") &&
	    !postconf_is(conf, s, "smtpd_tls_wrappermode", "yes") &&
	    !postconf_is(conf, s, "smtpd_tls_security_level", "encrypt")) {
		check_error(report, "%.*s takes passwords without TLS", PW_FMT(s->name));
		check_cure(report, "postconf -e 'smtpd_tls_auth_only = yes'" RELOAD);
	}
	if (!postconf_is(conf, s, "smtpd_sasl_type", "dovecot")) {
		check_error(report, "%.*s does not ask Dovecot for logins",
		            PW_FMT(s->name));
		check_cure(report, "postconf -e 'smtpd_sasl_type = dovecot' "
		                   "'smtpd_sasl_path = private/auth'" RELOAD);
	}
}

void judge_tls(struct check_report *report, const struct postconf *conf,
               enum check_role role)
{
	for (size_t i = 0; i < conf->count; i++) {
		const struct postconf_service *s = &conf->services[i];

		if (!postconf_is_smtpd(s))
			continue;
		if (postconf_is_submission(s))
			judge_submission_tls(report, conf, s);
		judge_auth_only(report, conf, s);
		if (postconf_is_public(s) && role != CHECK_INNER &&
		    postconf_value(conf, s, "smtpd_tls_security_level").len == 0) {
			check_warning(report, "%.*s offers no TLS to other mail hosts",
			              PW_FMT(s->name));
			check_cure(report,
			           "postconf -e 'smtpd_tls_security_level = may'" RELOAD);
		}
	}
}
