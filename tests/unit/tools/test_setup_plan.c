/* What is now and what is wanted make a plan: the same one for the same host, and none
 * where all is as it should be. */
#include "../table.h"

#include <string.h>

#include "tools/setup/postfix.h"
#include "tools/setup/template.h"

/* Of a host as Debian installs it. */
#define DEBIAN_MAIN                                                                      \
	"compatibility_level = 3.6\n"                                                    \
	"smtpd_tls_security_level = may\n"                                               \
	"smtp_tls_security_level = dane\n"                                               \
	"mynetworks = 127.0.0.0/8\n"                                                     \
	"recipient_delimiter = +\n"

static struct row {
	const char *label;
	enum setup_role role;
	const char *main, *services, *options;
	const char *has, *lacks; /* a line of the plan; NULL = nothing */
} rows[] = {
	{ "main: score in front of a milter", SETUP_SINGLE,
	  DEBIAN_MAIN "smtpd_milters = inet:x:1\n", "", "",
	  "postconf -e 'smtpd_milters = unix:postward/score.sock, inet:x:1, "
	  "unix:postward/dkim.sock'",
	  NULL },
	{ "main: submission signs last", SETUP_SINGLE,
	  DEBIAN_MAIN "smtpd_milters = inet:x:1\n", "", "",
	  "postconf -e 'submission_milters = unix:postward/score.sock, inet:x:1, "
	  "unix:postward/dkim.sock'",
	  NULL },
	{ "main: submission keeps milters of its own", SETUP_SINGLE,
	  DEBIAN_MAIN "smtpd_milters = inet:x:1\n", "",
	  "submission/inet/smtpd_milters = inet:y:2",
	  "postconf -e 'submission_milters = unix:postward/score.sock, inet:y:2, "
	  "unix:postward/dkim.sock'",
	  NULL },
	{ "main: dane is more than may", SETUP_SINGLE, DEBIAN_MAIN, "", "", NULL,
	  "smtp_tls_security_level" },
	{ "main: what Postfix does not know is left out", SETUP_SINGLE, DEBIAN_MAIN, "",
	  "", NULL, "smtpd_forbid_unauth_pipelining" },
	{ "main: what it knows is set", SETUP_SINGLE, DEBIAN_MAIN, "", "",
	  "postconf -e 'smtpd_forbid_bare_newline = normalize'", NULL },
	{ "main: a local host opens up", SETUP_SINGLE,
	  DEBIAN_MAIN "inet_interfaces = loopback-only\ndefault_transport = error\n", "",
	  "", "postconf -e 'inet_interfaces = all'", NULL },
	{ "main: and may send", SETUP_SINGLE,
	  DEBIAN_MAIN "inet_interfaces = loopback-only\ndefault_transport = error\n", "",
	  "", "postconf -e 'default_transport = smtp'", NULL },
	{ "main: networks are said where none are", SETUP_SINGLE,
	  "compatibility_level = 3.6\n", "", "",
	  "postconf -e 'mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128'",
	  NULL },
	{ "main: the domain is no local one", SETUP_SINGLE,
	  DEBIAN_MAIN "mydestination = localhost, Example.Test\n", "", "",
	  "postconf -e 'mydestination = localhost'", NULL },
	{ "main: nor through $mydomain", SETUP_SINGLE,
	  DEBIAN_MAIN "mydestination = $myhostname, $mydomain, localhost\n", "", "",
	  "postconf -e 'mydestination = $myhostname, localhost'", NULL },
	{ "main: nor through a $mydomain of its own", SETUP_SINGLE,
	  DEBIAN_MAIN "mydomain = example.test\nmyhostname = mx.other.test\n"
	              "mydestination = $myhostname, ${mydomain}, localhost.$mydomain\n",
	  "", "", "postconf -e 'mydestination = $myhostname, localhost.$mydomain'",
	  NULL },
	{ "main: nor as a virtual one of the edge", SETUP_EDGE,
	  DEBIAN_MAIN "virtual_mailbox_domains = example.test, other.test\n", "", "",
	  "postconf -e 'virtual_mailbox_domains = other.test'", NULL },
	{ "main: recipients that the edge knows itself are told", SETUP_EDGE,
	  DEBIAN_MAIN "relay_recipient_maps = hash:/r\n", "", "",
	  "note: relay_recipient_maps stays", NULL },
	{ "main: mailboxes of other domains are told", SETUP_SINGLE,
	  DEBIAN_MAIN "virtual_mailbox_domains = hash:/v\n", "", "",
	  "note: mail for all of virtual_mailbox_domains (hash:/v)", NULL },
	{ "main: not those of the domain itself", SETUP_SINGLE,
	  DEBIAN_MAIN "virtual_mailbox_domains = example.test\n", "", "", NULL,
	  "note: mail for all" },
	{ "main: a relay list that is empty on purpose", SETUP_SINGLE,
	  DEBIAN_MAIN "smtpd_relay_restrictions =\n", "", "",
	  "postconf -e 'smtpd_relay_restrictions = permit_mynetworks, "
	  "reject_unauth_destination'",
	  NULL },
	{ "main: it stays unwritten where it is fine", SETUP_SINGLE, DEBIAN_MAIN, "", "",
	  NULL, "mydestination" },
	{ "main: no relay for a domain of ours", SETUP_INNER,
	  DEBIAN_MAIN "relay_domains = example.test, other.test\n", "", "",
	  "postconf -e 'relay_domains = other.test'", NULL },
	{ "main: the edge relays", SETUP_EDGE, DEBIAN_MAIN, "", "",
	  "postconf -e 'relay_domains = example.test'", NULL },
	{ "main: the edge's own milter comes last", SETUP_EDGE,
	  DEBIAN_MAIN "smtpd_milters = inet:x:1\n", "", "",
	  "postconf -e 'smtpd_milters = inet:x:1, unix:postward/origin.sock'", NULL },
	{ "main: the edge trusts nobody", SETUP_EDGE, DEBIAN_MAIN, "", "",
	  "postconf -e 'mynetworks = '", NULL },
	{ "main: also where nothing is said", SETUP_EDGE, "compatibility_level = 3.6\n",
	  "", "", "postconf -e 'mynetworks = '", NULL },
	{ "main: the edge has no mailboxes", SETUP_EDGE, DEBIAN_MAIN, "", "", NULL,
	  "virtual_" },
	{ "main: the inner host sends through the edge", SETUP_INNER, DEBIAN_MAIN, "", "",
	  "postconf -e 'relayhost = [10.9.0.1]:2525'", NULL },

	{ "master: port 25 stays", SETUP_SINGLE, DEBIAN_MAIN,
	  "smtp inet n - y - - smtpd\n", "", "postconf -Pe 'smtp/inet/max_use = 10'",
	  "postconf -Me 'smtp/" },
	{ "master: postscreen is left alone", SETUP_SINGLE, DEBIAN_MAIN,
	  "smtp inet n - y - 1 postscreen\n", "", NULL, "'smtp/inet" },
	{ "master: port 465 under its old name", SETUP_SINGLE, DEBIAN_MAIN,
	  "smtps inet n - y - - smtpd\n", "",
	  "postconf -Pe 'smtps/inet/smtpd_tls_wrappermode = yes'", "submissions/inet" },
	{ "master: restrictions of one's own come after the policy", SETUP_SINGLE,
	  DEBIAN_MAIN, "submission inet n - y - - smtpd\n",
	  "submission/inet/smtpd_recipient_restrictions = "
	  "permit_sasl_authenticated,reject",
	  "postconf -Pe 'submission/inet/smtpd_recipient_restrictions = "
	  "reject_non_fqdn_recipient,$submission_policy,permit_sasl_authenticated,"
	  "reject'",
	  NULL },
	{ "master: the policy never comes before recipients without a domain are refused",
	  SETUP_SINGLE, DEBIAN_MAIN, "submission inet n - y - - smtpd\n",
	  "submission/inet/smtpd_recipient_restrictions = "
	  "reject_x,reject_non_fqdn_recipient,permit",
	  "postconf -Pe 'submission/inet/smtpd_recipient_restrictions = "
	  "reject_non_fqdn_recipient,$submission_policy,reject_x,permit'",
	  NULL },
	{ "master: a policy that is there gets them refused in front", SETUP_SINGLE,
	  DEBIAN_MAIN, "submission inet n - y - - smtpd\n",
	  "submission/inet/smtpd_recipient_restrictions = reject_x,$submission_policy",
	  "postconf -Pe 'submission/inet/smtpd_recipient_restrictions = "
	  "reject_non_fqdn_recipient,reject_x,$submission_policy'",
	  NULL },
	{ "master: relaying is for those who logged in", SETUP_SINGLE, DEBIAN_MAIN,
	  "submission inet n - y - - smtpd\n",
	  "submission/inet/smtpd_relay_restrictions = permit",
	  "postconf -Pe 'submission/inet/smtpd_relay_restrictions = "
	  "permit_sasl_authenticated,reject'",
	  NULL },
	{ "master: an own log name stays", SETUP_SINGLE, DEBIAN_MAIN,
	  "submission inet n - y - - smtpd\n", "submission/inet/syslog_name = mine", NULL,
	  "submission/inet/syslog_name" },
	{ "master: the inner host is not on all addresses", SETUP_INNER, DEBIAN_MAIN,
	  "smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n", "",
	  "postconf -MX 'submission/inet'", NULL },
	{ "master: nor on another one", SETUP_INNER, DEBIAN_MAIN,
	  "192.0.2.1:25 inet n - y - - smtpd\n10.9.0.2:25 inet n - y - - smtpd\n", "",
	  "postconf -MX '192.0.2.1:25/inet'", "10.9.0.2:smtp" },
	{ "master: an address of one's own choice stays the only one", SETUP_SINGLE,
	  DEBIAN_MAIN,
	  "192.0.2.1:submission inet n - y - - smtpd\n"
	  "smtp inet n - y - - smtpd\n465 inet n - y - - smtpd\n",
	  "",
	  "postconf -Pe '192.0.2.1:submission/inet/smtpd_relay_restrictions = "
	  "permit_sasl_authenticated,reject'",
	  "-Me" },
	{ "master: loopback alone is not enough", SETUP_SINGLE, DEBIAN_MAIN,
	  "localhost:smtp inet n - y - - smtpd\n[::1]:25 inet n - y - - smtpd\n", "",
	  "postconf -Me 'smtp/inet = smtp inet n - y - - smtpd -o max_use=10", NULL },
	{ "master: and is in the way", SETUP_SINGLE, DEBIAN_MAIN,
	  "localhost:smtp inet n - y - - smtpd\n[::1]:25 inet n - y - - smtpd\n", "",
	  "postconf -MX 'localhost:smtp/inet'\npostconf -MX '[::1]:25/inet'", NULL },
	{ "master: logins are asked of Dovecot alone", SETUP_SINGLE, DEBIAN_MAIN,
	  "submission inet n - y - - smtpd\n",
	  "submission/inet/smtpd_sasl_type = cyrus\n"
	  "submission/inet/smtpd_sasl_path = smtpd\n",
	  "postconf -Pe 'submission/inet/smtpd_sasl_type = dovecot'\n"
	  "    was: cyrus\n"
	  "postconf -Pe 'submission/inet/smtpd_sasl_path = private/auth'",
	  NULL },
	{ "master: which main.cf says already", SETUP_SINGLE, DEBIAN_MAIN,
	  "submission inet n - y - - smtpd\n", "", NULL, "inet/smtpd_sasl_type" },
	{ "master: no blanks, which postconf refuses", SETUP_SINGLE, DEBIAN_MAIN,
	  "submission inet n - y - - smtpd\n",
	  "submission/inet/smtpd_recipient_restrictions = "
	  "permit_sasl_authenticated, reject",
	  "postconf -Pe 'submission/inet/smtpd_recipient_restrictions = "
	  "reject_non_fqdn_recipient,$submission_policy,permit_sasl_authenticated,"
	  "reject'",
	  NULL },
	{ "master: what the edge passes on, the client in front", SETUP_INNER,
	  DEBIAN_MAIN, "", "",
	  "postconf -Me '10.9.0.2:10465/inet = 10.9.0.2:10465 inet n - y - - smtpd -o "
	  "syslog_name=postfix/submissions -o smtpd_tls_wrappermode=yes -o "
	  "smtpd_upstream_proxy_protocol=haproxy -o mynetworks= -o "
	  "smtpd_authorized_xclient_hosts=",
	  NULL },
	{ "master: never on another address", SETUP_INNER, DEBIAN_MAIN,
	  "10587 inet n - y - - smtpd\n", "", "postconf -MX '10587/inet'", NULL },
	{ "master: not where there is no edge", SETUP_SINGLE, DEBIAN_MAIN, "", "", NULL,
	  "10587" },
	{ "master: other addresses of the edge may have port 2525", SETUP_EDGE,
	  DEBIAN_MAIN, "127.0.0.1:2525 inet n - y - - smtpd\n2525 inet n - y - - smtpd\n",
	  "", "postconf -MX '2525/inet'", "127.0.0.1:2525" },
	{ "master: the edge's way out", SETUP_EDGE, DEBIAN_MAIN,
	  "smtp inet n - y - - smtpd\n", "",
	  "-o smtpd_milters= -o smtpd_proxy_filter= -o mynetworks=10.9.0.2/32 -o "
	  "smtpd_relay_restrictions=permit_mynetworks,reject",
	  NULL },
	{ "link: the listener for the edge", SETUP_LINK, "", "", "",
	  "postconf -Me '10.9.0.2:smtp/inet = 10.9.0.2:smtp inet n - y - - smtpd -o "
	  "mynetworks= -o smtpd_sasl_auth_enable=no -o "
	  "smtpd_relay_restrictions=reject_unauth_destination -o "
	  "smtpd_authorized_xclient_hosts=10.9.0.1",
	  "myhostname" },
};

/* Of an edge, with what else it may be asked for. */
static struct edge_row {
	const char *label;
	const char *main, *services, *options;
	const char *has, *lacks;
	const char *fallback, *postscreen;
} edge_rows[] = {
	{ "master: the queue's way inside", DEBIAN_MAIN, "smtp inet n - y - - smtpd\n",
	  "", "postconf -Me 'postward/unix = postward unix - - y - - lmtp", NULL, NULL,
	  NULL },
	{ "master: as it is, with blanks of postconf's choice", DEBIAN_MAIN,
	  "postward unix - - y - - lmtp -o "
	  "syslog_name=postfix/postward -o lmtp_send_xforward_command=yes -o "
	  "lmtp_line_length_limit=0 -o lmtp_tls_security_level=none\n",
	  "", NULL, "postward/unix", NULL, NULL },
	{ "master: nothing is held where nothing is queued", DEBIAN_MAIN,
	  "smtp inet n - y - - smtpd\n", "", NULL, "10027", NULL, NULL },
	{ "master: no more", DEBIAN_MAIN, "127.0.0.1:10027 inet n - y - - smtpd\n", "",
	  "postconf -MX '127.0.0.1:10027/inet'", NULL, "defer", NULL },
	{ "master: what may not be refused any more is held", DEBIAN_MAIN,
	  "smtp inet n - y - - smtpd\n", "",
	  "smtpd_recipient_restrictions=check_recipient_access,static:HOLD", NULL,
	  "queue", NULL },
	{ "master: a held one that lets in", DEBIAN_MAIN,
	  "127.0.0.1:10027 inet n - y - - smtpd\n",
	  "127.0.0.1:10027/inet/smtpd_recipient_restrictions = permit",
	  "postconf -Pe '127.0.0.1:10027/inet/smtpd_recipient_restrictions = "
	  "check_recipient_access,static:HOLD'",
	  NULL, "queue", NULL },
	{ "master: postscreen in front, the smtpd of before behind", DEBIAN_MAIN,
	  "smtp inet n - y - - smtpd -o smtpd_helo_required=yes\n", "",
	  "postconf -Me 'smtp/inet = smtp inet n - y - 1 postscreen'\n"
	  "postconf -Me 'smtpd/pass = smtpd pass - - y - - smtpd -o "
	  "smtpd_helo_required=yes'",
	  NULL, NULL, "yes" },
	{ "master: postscreen stands there already", DEBIAN_MAIN,
	  "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd -o x=y\n"
	  "dnsblog unix - - y - 0 dnsblog\ntlsproxy unix - - y - 0 tlsproxy\n",
	  "", "2525", "'smtpd/pass", NULL, "yes" },
	{ "master: postscreen is not for two addresses", DEBIAN_MAIN,
	  "192.0.2.1:smtp inet n - y - - smtpd\n192.0.2.2:smtp inet n - y - - smtpd\n",
	  "", "note: port 25 is served by several lines", "postscreen'", NULL, "yes" },
	{ "master: postscreen comes when asked for", DEBIAN_MAIN,
	  "smtp inet n - y - - smtpd\n", "", NULL, "postscreen", NULL, "no" },
	{ "main: who speaks first is refused", DEBIAN_MAIN, "", "",
	  "postconf -e 'postscreen_greet_action = enforce'", NULL, NULL, "yes" },
};

static struct setup_wish wish_of(enum setup_role role)
{
	return (struct setup_wish){ .role = role,
		                    .domain = "example.test",
		                    .hostname = "mail.example.test",
		                    .listen =
		                            role == SETUP_EDGE ? "10.9.0.1" : "10.9.0.2",
		                    .peer = role == SETUP_EDGE ? "10.9.0.2" : "10.9.0.1",
		                    .certificate = "/c.pem",
		                    .key = "/k.pem" };
}

static void fill(struct setup_postfix *now, const struct row *row)
{
	now->has_main = true;
	pw_buf_puts(&now->main, pw_str_from(row->main));
	pw_buf_puts(&now->services, pw_str_from(row->services));
	pw_buf_puts(&now->options, pw_str_from(row->options));
	pw_buf_puts(&now->known, PW_STR("smtpd_forbid_bare_newline = no\n"));
}

static void check(const struct row *row, struct setup_wish wish)
{
	PW_AUTO(setup_postfix_done) struct setup_postfix now = { 0 };
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct setup_plan *plan = calloc(1, sizeof(*plan));

	assert_non_null(plan);
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	plan->arena = arena;
	if (row->role == SETUP_SINGLE)
		wish.listen = wish.peer = NULL;
	fill(&now, row);
	setup_plan_main(plan, &wish, &now);
	setup_plan_master(plan, &wish, &now);
	assert_int_equal(plan->status, PW_OK);
	for (size_t i = 0; i < plan->count; i++)
		setup_step_print(&text, &plan->at[i]);
	if (row->has != NULL && strstr(pw_buf_text(&text), row->has) == NULL)
		fail_msg("not in the plan: %s\n%s", row->has, pw_buf_text(&text));
	if (row->lacks != NULL && strstr(pw_buf_text(&text), row->lacks) != NULL)
		fail_msg("in the plan: %s\n%s", row->lacks, pw_buf_text(&text));
	free(plan);
}

static void check_row(void **state)
{
	const struct row *row = *state;

	check(row, wish_of(row->role));
}

static void check_edge_row(void **state)
{
	const struct edge_row *e = *state;
	const struct row row = { e->label,   SETUP_EDGE, e->main, e->services,
		                 e->options, e->has,     e->lacks };
	struct setup_wish wish = wish_of(SETUP_EDGE);

	wish.fallback = e->fallback;
	wish.postscreen = e->postscreen;
	check(&row, wish);
}

static void test_difference_of_a_file(void **state)
{
	const struct setup_step step = { .kind = SETUP_FILE,
		                         .name = "/f",
		                         .before = "a\nb\n",
		                         .value = "b\nc\n",
		                         .owner = "root",
		                         .group = "postfix",
		                         .mode = 0640 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	(void)state;
	setup_step_print(&text, &step);
	assert_string_equal(pw_buf_text(&text),
	                    "change /f (0640 root:postfix)\n    -a\n    +c\n");
}

static void test_names_in_templates(void **state)
{
	const struct setup_name names[] = { { "a", "1" }, { "empty", NULL } };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	(void)state;
	setup_expand(&text, PW_STR("@a@ ann@example.org @empty@@a@ @no@ @"), names, 2);
	assert_string_equal(pw_buf_text(&text), "1 ann@example.org 1 @no@ @");
}

int main(void)
{
	enum { ROWS = PW_LEN(rows), ALL_ROWS = ROWS + PW_LEN(edge_rows) };
	struct CMUnitTest tests[ALL_ROWS + 2] = {
		[ALL_ROWS] = cmocka_unit_test(test_difference_of_a_file),
		[ALL_ROWS + 1] = cmocka_unit_test(test_names_in_templates),
	};

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	PW_TABLE_TESTS(tests, ROWS, edge_rows, check_edge_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
