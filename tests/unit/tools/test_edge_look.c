/* What postwardctl edge check concludes from what it saw. */
#include "report.h"

#include <string.h>

#include "tools/edge/icmp.h"
#include "tools/edge/look.h"
#include "tools/edge/talk.h"

#define EDGE PW_STR("10.9.0.1")
#define INNER PW_STR("10.9.0.2")
#define OFFER "inner.example.test\nPIPELINING\nSIZE 10240000\nXCLIENT NAME ADDR PROTO\n"

static struct offer_row {
	const char *label;
	const char *lines;
	int64_t limit;
	const char *wanted;
	bool is_stamped;
} offers[] = {
	{ "all is offered", OFFER, 10240000, "", false },
	{ "less is taken here", OFFER, 1000, "", false },
	{ "no limit there", "x\nSIZE 0\nXCLIENT ADDR\n", 99, "", false },
	{ "no size there", "x\nSIZE\nXCLIENT ADDR\n", 99, "", false },
	{ "more is taken here", OFFER, 10240001, "w the inner server's 10240000", false },
	{ "anything is taken here", OFFER, 0, "w message_size_limit is 0", false },
	{ "no XCLIENT", "x\nSIZE 10240000\n", 1000, "e offers this edge no XCLIENT",
	  false },
	{ "an XCLIENT without an address", "x\nXCLIENT NAME LOGIN\n", 1000,
	  "e no XCLIENT", false },
	{ "no XCLIENT, and none needed", "x\nSIZE 10240000\n", 1000, "", true },
	{ "a word that only begins so", "x\nXCLIENTS ADDR\n", 1000, "e no XCLIENT",
	  false },
};

static void check_offer(void **state)
{
	const struct offer_row *row = *state;
	PW_AUTO(check_report_done) struct check_report report = { 0 };

	judge_inner_offer(&report, pw_str_from(row->lines), row->is_stamped, row->limit,
	                  EDGE, INNER);
	report_expect(&report, row->wanted);
}

static struct guise_row {
	const char *label;
	struct edge_guise guise;
	const char *wanted;
} guises[] = {
	{ "refused", { "127.0.0.1", 220, 554, false }, "" },
	{ "not believed", { "127.0.0.1", 550, 0, false }, "" },
	{ "relayed",
	  { "127.0.0.1", 220, 250, false },
	  "e relays to anywhere for 127.0.0.1" },
	{ "put off", { "127.0.0.1", 220, 450, false }, "w could not look" },
	{ "believed again",
	  { "another address of the VPN", 220, 554, true },
	  "e takes XCLIENT from another address of the VPN too" },
	{ "a login",
	  { "a stranger with a login", 220, 250, false },
	  "e relays to anywhere for a stranger with a login" },
	{ "no IPv6",
	  { "a stranger with [2001:db8::1]", 501, 0, false },
	  "w takes no IPv6 address" },
	{ "another 501", { "127.0.0.1", 501, 0, false }, "" },
};

static void check_guise(void **state)
{
	const struct guise_row *row = *state;
	PW_AUTO(check_report_done) struct check_report report = { 0 };

	judge_guise(&report, &row->guise, EDGE, INNER);
	report_expect(&report, row->wanted);
}

static struct tunnel_row {
	const char *label;
	int mtu;
	bool is_wireguard;
	int small, whole;
	const char *wanted;
} tunnels[] = {
	{ "all passes", 1420, true, ICMP_ANSWERED, ICMP_ANSWERED, "" },
	{ "less is fine", 1280, true, ICMP_ANSWERED, ICMP_ANSWERED, "" },
	{ "too wide for WireGuard", 1500, true, ICMP_ANSWERED, ICMP_ANSWERED,
	  "w has packets of 1500 bytes" },
	{ "another kind of tunnel", 1500, false, ICMP_ANSWERED, ICMP_ANSWERED, "" },
	{ "large ones are swallowed", 1420, true, ICMP_ANSWERED, ICMP_SILENT,
	  "e packets of 1420 bytes do not come through" },
	{ "who knows that they do not pass sends smaller ones", 1420, true, ICMP_ANSWERED,
	  ICMP_TOO_BIG, "" },
	{ "no echo at all", 1420, true, ICMP_SILENT, ICMP_SILENT, "s answers no echo" },
	{ "no right to ask", 1420, true, ICMP_IMPOSSIBLE, ICMP_IMPOSSIBLE,
	  "w no echo may be sent" },
};

static void check_tunnel(void **state)
{
	const struct tunnel_row *row = *state;
	PW_AUTO(check_report_done) struct check_report report = { 0 };

	judge_tunnel(&report, "wg0", row->mtu, row->is_wireguard, row->small, row->whole);
	report_expect(&report, row->wanted);
}

static struct clock_row {
	const char *label;
	int64_t sent_ms, theirs_ms, heard_ms, ahead_ms;
	const char *wanted;
} clocks[] = {
	{ "the same", 1000, 1010, 1020, 0, "" },
	{ "a slow way", 1000, 2000, 3000, 0, "" },
	{ "half a minute is fine", 0, 30000, 0, 30000, "" },
	{ "ahead", 1000, 61000, 1000, 60000, "w is 60 s ahead of" },
	{ "behind", 61000, 1000, 61000, -60000, "w is 60 s behind" },
	{ "theirs is past midnight", 86399000, 500, 86399000, 1500, "" },
	{ "ours is", 500, 86399000, 500, -1500, "" },
	{ "midnight on the way", 86399990, 0, 10, 0, "" },
};

static void check_clock_row(void **state)
{
	const struct clock_row *row = *state;
	PW_AUTO(check_report_done) struct check_report report = { 0 };

	assert_int_equal(icmp_ahead(row->sent_ms, row->theirs_ms, row->heard_ms),
	                 row->ahead_ms);
	judge_skew(&report, row->ahead_ms);
	report_expect(&report, row->wanted);
}

#define QUEUE_SERVICE "postward unix - - y - - lmtp\n"
#define QUEUE_MAIN "relay_transport = postward:unix:postward/queue.sock\n"
#define XFORWARD "postward/unix/lmtp_send_xforward_command = yes\n"
#define HOLD "127.0.0.1:10027"

static struct conf_row {
	const char *label;
	const char *main, *overrides, *master;
	const char *hold;
	const char *wanted;
} confs[] = {
	{ "in order", QUEUE_MAIN, XFORWARD, "smtp inet n - y - - smtpd\n" QUEUE_SERVICE,
	  "", "" },
	{ "with mail that is held", QUEUE_MAIN,
	  XFORWARD HOLD "/inet/smtpd_recipient_restrictions = "
	                "check_recipient_access,static:HOLD\n" HOLD
	                "/inet/smtpd_authorized_xforward_hosts = 127.0.0.1\n",
	  QUEUE_SERVICE HOLD " inet n - y - - smtpd\n", HOLD, "" },
	{ "who may say who the client is",
	  QUEUE_MAIN "smtpd_authorized_xclient_hosts = 192.0.2.1\n", XFORWARD,
	  "smtp inet n - y - - smtpd\n" QUEUE_SERVICE, "",
	  "e smtp: smtpd_authorized_xclient_hosts is \"192.0.2.1\"" },
	{ "or for the queue", QUEUE_MAIN,
	  XFORWARD "smtp/inet/smtpd_authorized_xforward_hosts = 192.0.2.1\n",
	  "smtp inet n - y - - smtpd\n" QUEUE_SERVICE, "",
	  "e smtp: smtpd_authorized_xforward_hosts" },
	{ "a PROXY line on the public port", QUEUE_MAIN,
	  XFORWARD "smtp/inet/smtpd_upstream_proxy_protocol = haproxy\n",
	  "smtp inet n - y - - smtpd\n" QUEUE_SERVICE, "",
	  "e smtp: smtpd_upstream_proxy_protocol" },
	{ "or to postscreen", QUEUE_MAIN "postscreen_upstream_proxy_protocol = haproxy\n",
	  XFORWARD,
	  "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n" QUEUE_SERVICE,
	  "", "e smtp: postscreen_upstream_proxy_protocol" },
	{ "a queue that goes as the edge", "relay_transport = relay:[10.9.0.2]:25\n", "",
	  QUEUE_SERVICE, "", "e relay_transport is" },
	{ "a queue that goes nowhere", QUEUE_MAIN, "", "smtp inet n - y - - smtpd\n", "",
	  "e master.cf has no service postward" },
	{ "a queue that forgets", QUEUE_MAIN, "", QUEUE_SERVICE, "",
	  "e lmtp_send_xforward_command is not yes" },
	{ "nowhere to hold mail", QUEUE_MAIN, XFORWARD, QUEUE_SERVICE, HOLD,
	  "e master.cf has no service 127.0.0.1:10027" },
	{ "a place that holds nothing", QUEUE_MAIN, XFORWARD,
	  QUEUE_SERVICE HOLD " inet n - y - - smtpd\n", HOLD, "e does not put on hold" },
};

static void check_conf(void **state)
{
	const struct conf_row *row = *state;
	PW_AUTO(check_report_done) struct check_report report = { 0 };
	struct postconf *conf = calloc(1, sizeof(*conf));

	assert_non_null(conf);
	pw_buf_puts(&conf->main, pw_str_from(row->main));
	pw_buf_puts(&conf->overrides, pw_str_from(row->overrides));
	pw_buf_puts(&conf->master, pw_str_from(row->master));
	postconf_parse(conf);
	judge_edge_listeners(&report, conf);
	judge_edge_queue(&report, conf, pw_str_from(row->hold));
	report_expect(&report, row->wanted);
	postconf_done(conf);
	free(conf);
}

#define DAY INT64_C(86400)

static struct key_row {
	const char *label;
	int64_t from_s, until_s, next_s; /* next_s: when another begins; 0 = none does */
	const char *wanted;
} key_rows[] = {
	{ "a key for long", 0, 400 * DAY, 0, "" },
	{ "no key yet", 200 * DAY, 400 * DAY, 0, "w no key whose time it is" },
	{ "its time is over", 0, 99 * DAY, 0, "w no key whose time it is" },
	{ "it ends soon", 0, 105 * DAY, 0, "w ends in 5 days, and none follows" },
	{ "another follows", 0, 105 * DAY, 103 * DAY, "" },
	{ "another follows too late", 0, 105 * DAY, 120 * DAY, "w none follows" },
};

static void check_keys(void **state)
{
	const struct key_row *row = *state;
	PW_AUTO(check_report_done) struct check_report report = { 0 };
	struct pw_stamp_keys keys = { .count = row->next_s != 0 ? 2 : 1 };

	keys.keys[0].not_before_s = row->from_s;
	keys.keys[0].not_after_s = row->until_s;
	keys.keys[1].not_before_s = row->next_s;
	keys.keys[1].not_after_s = row->next_s + 400 * DAY;
	judge_stamp_keys(&report, &keys, 100 * DAY);
	report_expect(&report, row->wanted);
}

static struct reply_row {
	const char *label;
	int code;
	const char *text;
	const char *wanted;
} replies[] = {
	{ "believed", 550, "5.7.0 postward stamp=ok, skew_s=-3\n", "" },
	{ "with another clock", 550, "5.7.0 postward stamp=ok, skew_s=-300\n",
	  "w clock is 300 s ahead of" },
	{ "with another key", 550, "5.7.0 postward stamp=unknown_key, skew_s=0\n",
	  "e does not believe our stamps: unknown_key" },
	{ "nobody reads it", 250, "2.0.0 Ok: queued as 1\n", "e reads no stamps" },
	{ "refused by somebody else", 554, "5.7.1 spam\n", "w could not look" },
	{ "nothing is said", TALK_SILENT, "", "w could not look" },
};

static void check_reply(void **state)
{
	const struct reply_row *row = *state;
	PW_AUTO(check_report_done) struct check_report report = { 0 };

	judge_stamp_reply(&report, row->code, pw_str_from(row->text));
	report_expect(&report, row->wanted);
}

static void test_keywords(void **state)
{
	struct pw_str lines = PW_STR("mx.test\nSize 17\nSTARTTLS\n");

	(void)state;
	assert_true(pw_str_eq(talk_keyword(lines, "SIZE"), PW_STR("17")));
	assert_true(pw_str_eq(talk_keyword(lines, "STARTTLS"), PW_STR("")));
	assert_non_null(talk_keyword(lines, "starttls").at);
	assert_null(talk_keyword(lines, "XCLIENT").at);
	assert_null(talk_keyword(PW_STR(""), "SIZE").at);
}

int main(void)
{
	enum {
		GUISES = PW_LEN(offers),
		TUNNELS = GUISES + PW_LEN(guises),
		CLOCKS = TUNNELS + PW_LEN(tunnels),
		CONFS = CLOCKS + PW_LEN(clocks),
		KEYS = CONFS + PW_LEN(confs),
		REPLIES = KEYS + PW_LEN(key_rows),
		ALL = REPLIES + PW_LEN(replies),
	};
	struct CMUnitTest tests[ALL + 1] = { [ALL] = cmocka_unit_test(test_keywords) };

	PW_TABLE_TESTS(tests, 0, offers, check_offer);
	PW_TABLE_TESTS(tests, GUISES, guises, check_guise);
	PW_TABLE_TESTS(tests, TUNNELS, tunnels, check_tunnel);
	PW_TABLE_TESTS(tests, CLOCKS, clocks, check_clock_row);
	PW_TABLE_TESTS(tests, CONFS, confs, check_conf);
	PW_TABLE_TESTS(tests, KEYS, key_rows, check_keys);
	PW_TABLE_TESTS(tests, REPLIES, replies, check_reply);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
