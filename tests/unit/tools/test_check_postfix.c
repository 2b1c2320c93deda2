#include "report.h"

#include <string.h>

#include "tools/check/postfix.h"

#define SCORE "unix:postward/score.sock"
#define DKIM "unix:postward/dkim.sock"
#define ORIGIN "unix:postward/origin.sock"
#define POLICY(action)                                                                   \
	"check_policy_service { unix:postward/policy.sock, timeout=5s, "                 \
	"default_action=" action " }"

/* A host in order; a row adds lines, and a later line of a name does not count: so what a
 * row says stands in front. */
static const char mailhost[] =
	"enable_long_queue_ids = yes\nsmtpd_forbid_bare_newline = normalize\n"
	"virtual_mailbox_domains = pgsql:/x\nvirtual_transport = "
	"lmtp:unix:private/dovecot-lmtp\n"
	"milter_default_action = tempfail\nsmtpd_milters = " SCORE ", " DKIM "\n"
	"non_smtpd_milters = " DKIM "\nsmtpd_tls_security_level = may\n"
	"smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n"
	"smtpd_recipient_restrictions = reject_non_fqdn_recipient, " POLICY(
		"DUNNO") "\nmynetworks = 127.0.0.0/8 [::1]/128\n"
			 "smtpd_sasl_type = dovecot\nsmtpd_sasl_auth_enable = "
			 "no\nsmtpd_tls_auth_only = yes\n"
			 "smtpd_tls_mandatory_protocols = "
			 ">=TLSv1.2\nsmtpd_tls_wrappermode = no\n";
static const char submission[] =
	"submission/inet/smtpd_milters = " SCORE ", " DKIM "\n"
	"submission/inet/smtpd_tls_security_level = encrypt\n"
	"submission/inet/smtpd_sasl_auth_enable = yes\n"
	"submission/inet/smtpd_relay_restrictions = permit_sasl_authenticated,reject\n"
	"submission/inet/smtpd_recipient_restrictions = reject_non_fqdn_recipient, " POLICY(
		"DEFER") "\n"
			 "submission/inet/smtpd_end_of_data_restrictions = " POLICY(
				 "DEFER") "\n";
static const char master[] =
	"smtp       inet  n       -       y       -       -       smtpd\n"
	"submission inet n       -       y       -       -       smtpd\n"
	"cleanup    unix  n       -       y       -       0       cleanup\n";
/* what the edge passes on to the inner host */
#define THROUGH "10.9.0.2:"
static const char inner_master[] =
	"10.9.0.2:10587 inet n - y - - smtpd\n10.9.0.2:10465 inet n - y - - smtpd\n";
static const char inner_overrides[] =
	"10.9.0.2:10587/inet/smtpd_tls_security_level = encrypt\n"
	"10.9.0.2:10587/inet/smtpd_sasl_auth_enable = yes\n"
	"10.9.0.2:10587/inet/smtpd_relay_restrictions = "
        "permit_sasl_authenticated,reject\n"
	"10.9.0.2:10465/inet/smtpd_tls_wrappermode = yes\n"
	"10.9.0.2:10465/inet/smtpd_tls_security_level = encrypt\n"
	"10.9.0.2:10465/inet/smtpd_sasl_auth_enable = yes\n"
	"10.9.0.2:10465/inet/smtpd_relay_restrictions = "
        "permit_sasl_authenticated,reject\n";
static const char edge[] = "in_flow_delay = 0s\nenable_long_queue_ids = "
			   "yes\nsmtpd_forbid_bare_newline = normalize\n"
			   "relay_domains = d.test\nmilter_default_action = "
			   "tempfail\nsmtpd_milters = " ORIGIN "\n"
			   "smtpd_relay_restrictions = "
			   "reject_unauth_destination\nsmtpd_tls_security_level = may\n"
			   "mynetworks =\nsmtpd_sasl_auth_enable = no\n";
static const char edge_master[] =
	"smtp       inet  n       -       y       -       -       smtpd\n"
	"10.9.0.1:2525 inet n     -       y       -       -       smtpd\n";
static const char edge_overrides[] =
	"10.9.0.1:2525/inet/smtpd_milters =\n10.9.0.1:2525/inet/mynetworks = "
	"10.9.0.2/32\n"
	"10.9.0.1:2525/inet/smtpd_relay_restrictions = permit_mynetworks,reject\n";

typedef void judgement(struct check_report *, const struct postconf *, enum check_role);

struct row {
	const char *label;
	judgement *judge;
	const char *main, *overrides; /* put in front */
	const char *wanted;
	enum check_role role;
};

/* clang-format off */
static struct row rows[] = {
	{ "settings in order",        judge_main_cf, "", "", "", CHECK_SINGLE },
	{ "flow control",             judge_main_cf, "in_flow_delay = 1s\n", "", "e token of the flow control", CHECK_EDGE },
	{ "flow control of others",   judge_main_cf, "in_flow_delay = 1s\n", "", "", CHECK_SINGLE },
	{ "an edge without domains",  judge_main_cf, "relay_domains =\n", "", "e relay_domains is empty", CHECK_EDGE },
	{ "relay_domains by default", judge_main_cf, "relay_domains = a.test\nmydestination = a.test\n", "", "e relay_domains is empty", CHECK_EDGE },
	{ "no domains",               judge_main_cf, "virtual_mailbox_domains =\n", "", "e virtual_mailbox_domains is empty", CHECK_INNER },
	{ "bare newlines",            judge_main_cf, "smtpd_forbid_bare_newline = no\n", "", "w smuggle", CHECK_SINGLE },

	{ "milters in order",         judge_milters, "", "", "", CHECK_SINGLE },
	{ "no score",                 judge_milters, "smtpd_milters = " DKIM "\n", "", "e smtp: score.sock is not among", CHECK_SINGLE },
	{ "score in another folder",  judge_milters, "smtpd_milters = unix:x/score.sock, " DKIM "\n", "", "", CHECK_SINGLE },
	{ "score by TCP is not seen", judge_milters, "smtpd_milters = inet:127.0.0.1:1, " DKIM "\n", "", "e score.sock is not among", CHECK_SINGLE },
	{ "score beside another",     judge_milters, "smtpd_milters = inet:127.0.0.1:1, " SCORE ", " DKIM "\n", "", "", CHECK_SINGLE },
	{ "no dkim behind score",     judge_milters, "smtpd_milters = " SCORE "\n", "", "w smtp: dkim.sock is not among the milters: forwarded mail gets no ARC seal", CHECK_SINGLE },
	{ "score behind the sealer",  judge_milters, "smtpd_milters = " DKIM ", " SCORE "\n", "", "e smtp: " SCORE " stands behind " DKIM, CHECK_SINGLE },
	{ "no dkim for users",        judge_milters, "", "submission/inet/smtpd_milters = " SCORE "\n", "e submission: dkim.sock is not among", CHECK_SINGLE },
	{ "score behind dkim",        judge_milters, "", "submission/inet/smtpd_milters = " DKIM ", " SCORE "\n", "e stands behind unix:postward/dkim.sock", CHECK_SINGLE },
	{ "dkim alone will do",       judge_milters, "", "submission/inet/smtpd_milters = " DKIM "\n", "", CHECK_SINGLE },
	{ "reject by one",            judge_milters, "non_smtpd_milters = { " DKIM ", default_action=reject }\n", "", "e treated with \"reject\"", CHECK_SINGLE },
	{ "tempfail by one",          judge_milters, "non_smtpd_milters = { " DKIM ", default_action = tempfail }\n", "", "", CHECK_SINGLE },
	{ "none is asked",            judge_milters, "", "smtp/inet/receive_override_options = no_address_mappings, no_milters\n", "e smtp: receive_override_options has no_milters", CHECK_SINGLE },
	{ "another override",         judge_milters, "", "smtp/inet/receive_override_options = no_address_mappings\n", "", CHECK_SINGLE },
	{ "no milters on the way out", judge_milters, "", "10.9.0.1:2525/inet/receive_override_options = no_milters\n", "", CHECK_EDGE },
	{ "edge in order",            judge_milters, "", "", "", CHECK_EDGE },
	{ "edge without origin",      judge_milters, "smtpd_milters =\n", "", "e smtp: origin.sock is not among", CHECK_EDGE },
	{ "a milter behind origin",   judge_milters, "smtpd_milters = " ORIGIN " inet:127.0.0.1:1\n", "", "e stands behind " ORIGIN, CHECK_EDGE },
	{ "a milter before origin",   judge_milters, "smtpd_milters = inet:127.0.0.1:1, " ORIGIN "\n", "", "", CHECK_EDGE },
	{ "a proxy filter instead",   judge_milters, "", "smtp/inet/smtpd_milters =\nsmtp/inet/smtpd_proxy_filter = unix:postward/proxy.sock\nsmtp/inet/smtpd_proxy_timeout = 300s\n", "", CHECK_EDGE },
	{ "a proxy filter in a hurry", judge_milters, "", "smtp/inet/smtpd_milters =\nsmtp/inet/smtpd_proxy_filter = unix:postward/proxy.sock\nsmtp/inet/smtpd_proxy_timeout = 100s\n", "w smtpd_proxy_timeout is 100s", CHECK_EDGE },
	{ "a proxy filter besides",   judge_milters, "", "smtp/inet/smtpd_proxy_filter = unix:postward/proxy.sock\nsmtp/inet/smtpd_proxy_timeout = 5m\n", "e both milter and proxy filter", CHECK_EDGE },
	{ "another's proxy filter",   judge_milters, "smtpd_proxy_filter = inet:127.0.0.1:10026\n", "", "", CHECK_EDGE },
	{ "one on the way out",       judge_milters, "smtpd_milters =\nsmtpd_proxy_filter = unix:postward/proxy.sock\nsmtpd_proxy_timeout = 300s\n", "", "e 10.9.0.1:2525: proxy.sock takes what the inner host sends", CHECK_EDGE },
	{ "none on the way out",      judge_milters, "smtpd_milters =\nsmtpd_proxy_filter = unix:postward/proxy.sock\nsmtpd_proxy_timeout = 300s\n", "10.9.0.1:2525/inet/smtpd_proxy_filter =\n", "", CHECK_EDGE },
	{ "origin on the way out",    judge_milters, "", "10.9.0.1:2525/inet/smtpd_milters = " ORIGIN "\n", "e hand it back there", CHECK_EDGE },

	{ "stages in order",          judge_stages, "", "", "", CHECK_SINGLE },
	{ "an edge has no policy",    judge_stages, "", "", "", CHECK_EDGE },
	{ "no policy at RCPT",        judge_stages, "smtpd_recipient_restrictions = permit\n", "", "e smtp: policy.sock is not asked", CHECK_SINGLE },
	{ "policy behind permit",     judge_stages, "smtpd_recipient_restrictions = permit, " POLICY("DUNNO") "\n", "", "e stands behind permit", CHECK_SINGLE },
	{ "policy behind a reject",   judge_stages, "smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject_unknown_recipient_domain, " POLICY("dunno") "\n", "", "", CHECK_SINGLE },
	{ "bare recipients pass",     judge_stages, "smtpd_recipient_restrictions = " POLICY("DUNNO") ", reject_non_fqdn_recipient\n", "", "w a recipient without a domain gets around", CHECK_SINGLE },
	{ "policy behind logins",     judge_stages, "", "submission/inet/smtpd_recipient_restrictions = permit_sasl_authenticated, " POLICY("DEFER") "\n", "e stands behind permit_sasl", CHECK_SINGLE },
	{ "logins pass port 25",      judge_stages, "smtpd_recipient_restrictions = reject_non_fqdn_recipient, permit_sasl_authenticated, " POLICY("DUNNO") "\n", "", "", CHECK_SINGLE },
	{ "no end of data",           judge_stages, "", "submission/inet/smtpd_end_of_data_restrictions =\n", "e limits of sending never count", CHECK_SINGLE },
	{ "another policy service",   judge_stages, "", "submission/inet/smtpd_end_of_data_restrictions = check_policy_service unix:private/other\n", "e limits of sending", CHECK_SINGLE },
	{ "users pass while away",    judge_stages, "", "submission/inet/smtpd_end_of_data_restrictions = " POLICY("DUNNO") "\n", "w treated with \"DUNNO\"", CHECK_SINGLE },
	{ "no default action",        judge_stages, "smtpd_recipient_restrictions = check_policy_service unix:postward/policy.sock\n", "", "w 451 after a long wait", CHECK_SINGLE },
	{ "policy at DATA",           judge_stages, "", "submission/inet/smtpd_data_restrictions = " POLICY("DEFER") "\n", "w is asked in smtpd_data_restrictions", CHECK_SINGLE },

	{ "gates in order",           judge_relay, "", "", "", CHECK_SINGLE },
	{ "edge's gates in order",    judge_relay, "", "", "", CHECK_EDGE },
	{ "empty gates",              judge_relay, "smtpd_relay_restrictions =\n", "", "e smtp is an open relay", CHECK_SINGLE },
	{ "permit before reject",     judge_relay, "", "submission/inet/smtpd_relay_restrictions = permit, reject\n", "e submission is an open relay", CHECK_SINGLE },
	{ "closed by the other list", judge_relay, "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = reject_unauth_destination\n", "", "", CHECK_SINGLE },
	{ "wide network",             judge_relay, "mynetworks = 127.0.0.0/8 [::]/0\n", "", "e mynetworks has [::]/0", CHECK_SINGLE },
	{ "XCLIENT to everybody",     judge_relay, "mynetworks =\nsmtpd_authorized_xclient_hosts = 10.9.0.1\n", "submission/inet/smtpd_authorized_xclient_hosts =\n", "w more than an address of the private network", CHECK_SINGLE },
	{ "XCLIENT with networks",    judge_relay, "smtpd_authorized_xclient_hosts = 10.9.0.1\n", "smtp/inet/smtpd_authorized_xclient_hosts =\nsubmission/inet/smtpd_authorized_xclient_hosts =\n", "", CHECK_SINGLE },

	{ "the edge's word",          judge_relay, "mynetworks =\n", THROUGH "10587/inet/smtpd_upstream_proxy_protocol = haproxy\n", "", CHECK_INNER },
	{ "everybody's word",         judge_relay, "mynetworks =\n", "submission/inet/smtpd_upstream_proxy_protocol = haproxy\n", "e submission believes what stands in front", CHECK_SINGLE },
	{ "word and networks",        judge_relay, "", THROUGH "10587/inet/smtpd_upstream_proxy_protocol = haproxy\n", "e mynetworks gives rights by address", CHECK_INNER },
	{ "word and XCLIENT",         judge_relay, "mynetworks =\n", THROUGH "10587/inet/smtpd_upstream_proxy_protocol = haproxy\n" THROUGH "10587/inet/smtpd_authorized_xclient_hosts = 10.9.0.1\n", "e takes XCLIENT from 10.9.0.1", CHECK_INNER },
	{ "through the edge without TLS", judge_tls, "", THROUGH "10587/inet/smtpd_tls_security_level = may\n", "e takes mail of users without TLS", CHECK_INNER },
	{ "through the edge, port 465", judge_tls, "", THROUGH "10465/inet/smtpd_tls_wrappermode = no\n", "e does not begin with TLS", CHECK_INNER },

	{ "TLS in order",             judge_tls, "", "", "", CHECK_SINGLE },
	{ "submission without TLS",   judge_tls, "", "submission/inet/smtpd_tls_security_level = may\n", "e takes mail of users without TLS", CHECK_SINGLE },
	{ "passwords in clear",       judge_tls, "smtpd_tls_auth_only = no\nsmtpd_sasl_auth_enable = yes\n", "", "e smtp takes passwords without TLS", CHECK_SINGLE },
	{ "no logins",                judge_tls, "", "submission/inet/smtpd_sasl_auth_enable = no\n", "e takes no logins", CHECK_SINGLE },
	{ "old TLS",                  judge_tls, "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1\n", "", "w TLS older than 1.2", CHECK_SINGLE },
	{ "old TLS by exclusion",     judge_tls, "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1\n", "", "", CHECK_SINGLE },
	{ "new TLS by name",          judge_tls, "smtpd_tls_mandatory_protocols = TLSv1.2, TLSv1.3\n", "", "", CHECK_SINGLE },
	{ "old TLS by name",          judge_tls, "smtpd_tls_mandatory_protocols = TLSv1.1, TLSv1.2\n", "", "w TLS older than 1.2", CHECK_SINGLE },
	{ "no STARTTLS",              judge_tls, "smtpd_tls_security_level =\n", "", "w smtp offers no TLS", CHECK_SINGLE },
	{ "inner needs none on 25",   judge_tls, "smtpd_tls_security_level =\n", "", "", CHECK_INNER },
};
/* clang-format on */

static void put(struct pw_buf *out, const char *first, const char *rest)
{
	pw_buf_printf(out, "%s%s", first, rest);
}

static void check(void **state)
{
	const struct row *row = *state;
	bool is_edge = row->role == CHECK_EDGE;
	PW_AUTO(postconf_done) struct postconf conf = { 0 };
	PW_AUTO(check_report_done) struct check_report report = { 0 };

	put(&conf.main, row->main, is_edge ? edge : mailhost);
	put(&conf.overrides, row->overrides, is_edge ? edge_overrides : submission);
	put(&conf.master, "", is_edge ? edge_master : master);
	if (row->role == CHECK_INNER) {
		pw_buf_puts(&conf.overrides, pw_str_from(inner_overrides));
		pw_buf_puts(&conf.master, pw_str_from(inner_master));
	}
	postconf_parse(&conf);
	row->judge(&report, &conf, row->role);
	report_expect(&report, row->wanted);
}

/* ---- what is cured, and how ---- */

static const struct cure {
	judgement *judge;
	const char *main, *overrides, *wanted;
} cures[] = {
	{ judge_milters, "smtpd_milters = inet:127.0.0.1:1, " DKIM "\n", "",
	  "postconf -e 'smtpd_milters = " SCORE ",inet:127.0.0.1:1, " DKIM "' && postfix reload" },
	{ judge_milters, "",
	  "submission/inet/smtpd_milters = " DKIM ", inet:127.0.0.1:1\n",
	  "postconf -P 'submission/inet/smtpd_milters=inet:127.0.0.1:1," DKIM
	  "' && postfix reload" },
	{ judge_stages, "",
	  "submission/inet/smtpd_end_of_data_restrictions = permit, reject\n",
	  "postconf -e 'submission_end_of_data_restrictions = check_policy_service { "
	  "unix:postward/policy.sock, timeout=5s, try_limit=2, default_action=DEFER }, "
	  "permit, "
	  "reject' && postconf -P 'submission/inet/smtpd_end_of_data_restrictions="
	  "$submission_end_of_data_restrictions' && postfix reload" },
	{ judge_stages,
	  "smtpd_recipient_restrictions = permit, check_policy_service "
	  "unix:postward/policy.sock, "
	  "check_policy_service unix:b\n",
	  "",
	  "postconf -e 'smtpd_recipient_restrictions = reject_non_fqdn_recipient, "
	  "check_policy_service { "
	  "unix:postward/policy.sock, timeout=5s, try_limit=2, default_action=DUNNO }, "
	  "permit, "
	  "check_policy_service unix:b' && postfix reload" },
};

static void test_cures(void **state)
{
	(void)state;
	for (size_t i = 0; i < PW_LEN(cures); i++) {
		PW_AUTO(postconf_done) struct postconf conf = { 0 };
		PW_AUTO(check_report_done) struct check_report report = { 0 };
		PW_AUTO(pw_buf_done) struct pw_buf cure = { 0 };
		struct check_problem p;
		struct pw_str rest;

		put(&conf.main, cures[i].main, mailhost);
		put(&conf.overrides, cures[i].overrides, submission);
		put(&conf.master, "", master);
		postconf_parse(&conf);
		cures[i].judge(&report, &conf, CHECK_SINGLE);
		rest = pw_buf_str(&report.bytes);
		assert_true(check_next(&rest, &p));
		pw_buf_puts(&cure, p.cure);
		assert_string_equal(pw_buf_text(&cure), cures[i].wanted);
	}
}

/* ---- services and lists ---- */

static void test_services(void **state)
{
	PW_AUTO(postconf_done) struct postconf conf = { 0 };

	(void)state;
	put(&conf.master, "",
	    "[2001:db8::1]:submissions inet n - y - - smtpd -o a=b\n"
	    "10.9.0.1:2525 inet n - n - - smtpd\nbroken\n"
	    "smtpd pass - - - - - smtpd\n");
	postconf_parse(&conf);
	assert_int_equal(conf.count, 3);
	assert_int_equal(postconf_port(&conf.services[0]), 465);
	assert_true(
		pw_str_eq(postconf_address(&conf.services[0]), PW_STR("2001:db8::1")));
	assert_true(conf.services[0].is_chrooted);
	assert_int_equal(postconf_port(&conf.services[1]), 2525);
	assert_true(pw_str_eq(postconf_address(&conf.services[1]), PW_STR("10.9.0.1")));
	assert_false(conf.services[1].is_chrooted);
	assert_false(postconf_is_public(&conf.services[1]));
	assert_true(postconf_is_public(&conf.services[2]));
	assert_int_equal(postconf_address(&conf.services[2]).len, 0);
}

static void test_items(void **state)
{
	struct pw_str rest = PW_STR(" a,b { c { d, e } , f },, g"), item;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	(void)state;
	while (postconf_next_item(&rest, &item))
		pw_buf_printf(&text, "[%.*s]", PW_FMT(item));
	assert_string_equal(pw_buf_text(&text), "[a][b][{ c { d, e } , f }][g]");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 3];

	PW_TABLE_TESTS(tests, 0, rows, check);
	tests[PW_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(test_cures);
	tests[PW_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_services);
	tests[PW_LEN(rows) + 2] = (struct CMUnitTest)cmocka_unit_test(test_items);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
