#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "tools/check/clock.h"
#include "tools/check/files.h"
#include "tools/check/network.h"
#include "tools/check/ports.h"
#include "tools/check/services.h"

#define GB ((int64_t)1024 * 1024 * 1024)

/* Of the units called postfix.service: 13 has a postfix@.service too, for further
 * instances. */
#define DEBIAN_12 "[Service]\nType=oneshot\nExecStart=/bin/true\n"
#define DEBIAN_13 "[Service]\nType=forking\nExecStart=postfix debian-systemd-start\n"

static void test_filter(void **state)
{
	static const struct {
		const char *filter, *local, *unit, *wanted;
	} rows[] = {
		{ "journalmatch = _SYSTEMD_UNIT=postfix.service\n", "", DEBIAN_12,
		  "w it never bans" },
		{ "journalmatch = _SYSTEMD_UNIT=postfix.service\n", "", DEBIAN_13, "" },
		{ "journalmatch = _SYSTEMD_UNIT=postfix.service\n",
		  "[Init]\njournalmatch=_SYSTEMD_UNIT=postfix@-.service\n", DEBIAN_12,
		  "" },
		{ "journalmatch = _SYSTEMD_UNIT=postfix.service + "
		  "_SYSTEMD_UNIT=postfix@-.service\n",
		  "", DEBIAN_12, "" },
		{ "failregex = x\n", "", DEBIAN_12, "" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		PW_AUTO(check_report_done) struct check_report report = { 0 };

		judge_filter(&report, pw_str_from(rows[i].filter),
		             pw_str_from(rows[i].local), pw_str_from(rows[i].unit));
		report_expect(&report, rows[i].wanted);
	}
}

static void test_snapshot(void **state)
{
	static const struct {
		const char *program, *metrics;
		int64_t file_age_s;
		const char *wanted;
	} rows[] = {
		{ "postward-score", "postward_score_snapshot_age_seconds 5\n", 60, "" },
		{ "postward-score", "postward_score_snapshot_age_seconds 400\n", 60,
		  "w 400 s ago" },
		{ "postward-score", "postward_score_snapshot_age_seconds 4000\n", 60,
		  "e 4000 s ago" },
		{ "postward-score", "postward_score_snapshot_age_seconds -1\n", 60,
		  "e has never heard" },
		{ "postward-score", "postward_score_snapshot_age_seconds 4000\n", 200,
		  "w wrote its numbers last 200 s ago" },
		{ "postward-policyd",
		  "x 1\npostward_policyd_snapshot_age_milliseconds 400000\n", 1,
		  "w 400 s ago" },
		{ "postward-policyd", "postward_policyd_snapshot_age_milliseconds 4000\n",
		  1, "" },
		{ "postward-origin", "postward_origin_sessions 1\n", 1, "" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		PW_AUTO(check_report_done) struct check_report report = { 0 };

		judge_snapshot(&report, rows[i].program, pw_str_from(rows[i].metrics),
		               rows[i].file_age_s);
		report_expect(&report, rows[i].wanted);
	}
}

static void test_space(void **state)
{
	static const struct {
		int64_t bytes, percent, files;
		const char *wanted;
	} rows[] = {
		{ 100 * GB, 50, 50, "" },
		{ 1 * GB, 9, 50, "w only 9 % of its space" },
		{ 1 * GB, 2, 50, "e only 2 % of its space" },
		{ 1 * GB, 0, 50, "e only 0 % of its space" },
		{ 100 * GB, 2, 50, "" }, /* a small part of much is much */
		{ 100 * GB, 50, 1, "e only 1 % of its files" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		PW_AUTO(check_report_done) struct check_report report = { 0 };

		judge_space(&report, "/x", rows[i].bytes, rows[i].percent, rows[i].files);
		report_expect(&report, rows[i].wanted);
	}
}

static void test_queue(void **state)
{
	static const struct {
		struct queue_count one;
		const char *wanted;
	} rows[] = {
		{ { "maildrop", 3, 10 }, "" },
		{ { "maildrop", 3, 1000 }, "e 3 messages stand still in queue maildrop" },
		{ { "incoming", 3, 1000 }, "e 3 messages stand still in queue incoming" },
		{ { "deferred", 999, 100000 }, "" },
		{ { "deferred", 1000, 10 }, "w 1000 messages in queue deferred" },
		{ { "hold", 1, 10 }, "w 1 messages are on hold" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		struct queue_count all[QUEUES];
		PW_AUTO(check_report_done) struct check_report report = { 0 };

		for (size_t k = 0; k < QUEUES; k++)
			all[k] = (struct queue_count){ .name = "active" };
		all[2] = rows[i].one;
		judge_queue(&report, all);
		report_expect(&report, rows[i].wanted);
	}
}

static void test_held(void **state)
{
	struct queue_count all[QUEUES];
	PW_AUTO(check_report_done) struct check_report none = { 0 }, some = { 0 };

	(void)state;
	for (size_t k = 0; k < QUEUES; k++)
		all[k] = (struct queue_count){ "deferred", 2000, 100000 };
	judge_held(&none, all);
	report_expect(&none, "");
	all[1] = (struct queue_count){ "hold", 3, 7300 };
	judge_held(&some, all);
	report_expect(&some, "w 3 messages are on hold, the oldest for 2 hours");
}

static void test_arrival(void **state)
{
	(void)state;
	/* long ids of Postfix 3.7: the first six digits are base 52 without vowels */
	assert_int_equal(queue_arrival("00001G0000zB"), 66);
	assert_int_equal(queue_arrival("00000100000zB"), 0);
	assert_int_equal(queue_arrival("ABCDEF0123"), 0);
	assert_int_equal(queue_arrival("aaaaaa0000zB"), 0);
	assert_int_equal(queue_arrival(""), 0);
}

static void test_units(void **state)
{
#define UNIT(id, load, active, file, restarts)                                           \
	"NRestarts=" restarts "\nId=" id "\nLoadState=" load "\nActiveState=" active     \
	"\nSubState=x\nUnitFileState=" file "\n"
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ UNIT("a.service", "loaded", "active", "enabled",
		       "0") "\n" UNIT("b.service", "loaded", "active", "static", "1"),
		  "" },
		{ UNIT("a.service", "loaded", "active", "enabled",
		       "0") "\n" UNIT("b.service", "loaded", "failed", "enabled", "0"),
		  "e b.service does not run: failed (x)" },
		{ UNIT("a.service", "not-found", "inactive", "", "0"),
		  "e a.service is not installed" },
		{ UNIT("a.service", "loaded", "active", "disabled", "0"),
		  "w not started at boot" },
		{ UNIT("a.service", "loaded", "active", "enabled", "7"),
		  "w restarted 7 times" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		PW_AUTO(check_report_done) struct check_report report = { 0 };

		judge_units(&report, pw_str_from(rows[i].text));
		report_expect(&report, rows[i].wanted);
	}
}

static void test_clocks(void **state)
{
	static const struct {
		int64_t theirs, ours;
		const char *wanted;
	} rows[] = {
		{ 1000, 2500, "" },
		{ 10000, 2500, "w 7 s ahead of ours" },
		{ 2500, 10000, "w 7 s behind ours" },
		{ 0, 40000, "e 40 s behind ours" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		PW_AUTO(check_report_done) struct check_report report = { 0 };

		judge_clocks(&report, rows[i].theirs, rows[i].ours);
		report_expect(&report, rows[i].wanted);
	}
}

/* ---- ports ---- */

#define LINE(local, st) "   0: " local " 00000000:0000 " st " 00000000:00000000 00\n"
/* 0.0.0.0:25, 0.0.0.0:587 and 993 of a host with a public address */
#define BASE                                                                             \
	LINE("00000000:0019", "0A")                                                      \
	LINE("00000000:024B", "0A") LINE("00000000:03E1", "0A")
#define PRIVATE                                                                          \
	LINE("0200090A:0019", "0A")                                                      \
	LINE("0200090A:024B", "0A") LINE("0200090A:03E1", "0A")

static void test_ports(void **state)
{
	static const struct {
		const char *text;
		enum check_role role;
		const char *private, *wanted;
	} rows[] = {
		{ BASE, CHECK_SINGLE, "", "" },
		{ BASE, CHECK_SINGLE, "10.9.0.2",
		  "e port 993 (IMAP under TLS) is open to everybody" },
		{ PRIVATE, CHECK_INNER, "10.9.0.2", "" },
		{ PRIVATE LINE("00000000:0019", "0A"), CHECK_INNER, "10.9.0.2",
		  "e port 25 (SMTP) is open" },
		{ BASE LINE("0100007F:1538", "0A"), CHECK_SINGLE, "", "" },
		{ BASE LINE("00000000:1538", "0A"), CHECK_SINGLE, "",
		  "e port 5432 (PostgreSQL) is open" },
		{ BASE LINE("00000000:1538", "01"), CHECK_SINGLE, "",
		  "" }, /* a connection */
		{ BASE LINE("0200090A:1538", "0A"), CHECK_SINGLE, "10.9.0.2",
		  "e port 993 (IMAP under TLS) is open to everybody" },
		{ LINE("00000000000000000000000000000000:0019", "0A")
		          LINE("00000000:024B", "0A") LINE("00000000:03E1", "0A"),
		  CHECK_SINGLE, "", "" },
		{ LINE("0100007F:0019", "0A") LINE("00000000:024B", "0A")
		          LINE("00000000:03E1", "0A"),
		  CHECK_SINGLE, "", "e only loopback listens on port 25" },
		{ LINE("00000000:0019", "0A"), CHECK_EDGE, "10.9.0.1",
		  "e nobody listens on port 2525" },
		{ LINE("00000000:0019", "0A") LINE("0100090A:09DD", "0A"), CHECK_EDGE,
		  "10.9.0.1", "" },
		{ BASE LINE("0100090A:09DD", "0A"), CHECK_EDGE, "10.9.0.1", "" },
		{ BASE LINE("0100090A:09DD", "0A") LINE("00000000:272B", "0A"),
		  CHECK_EDGE, "10.9.0.1",
		  "e port 10027 (mail that is to be held) is open" },
		{ LINE("00000000:0019", "0A") LINE("00000000:09DD", "0A"), CHECK_EDGE,
		  "10.9.0.1", "e port 2525 (what the inner host sends) is open" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		struct listeners all = { .has_public_address = true };
		PW_AUTO(check_report_done) struct check_report report = { 0 };

		listeners_parse(&all, PW_STR("  sl  local_address rem_address   st\n"));
		listeners_parse(&all, pw_str_from(rows[i].text));
		judge_ports(&report, &all, rows[i].role, pw_str_from(rows[i].private));
		report_expect(&report, rows[i].wanted);
	}
}

/* ---- lists and relays ---- */

static struct pw_dns_answer answer_of(struct pw_dns_record *record, const char *ip)
{
	struct pw_dns_answer answer = { .rcode = PW_DNS_OK,
		                        .records = record,
		                        .count = 1 };

	if (ip[0] == 'S')
		return (struct pw_dns_answer){ .rcode = PW_DNS_SERVFAIL };
	if (pw_ip_parse(&record->ip, pw_str_from(ip)) != PW_OK)
		return (struct pw_dns_answer){ .rcode = PW_DNS_NXDOMAIN };
	return answer;
}

static void test_listing(void **state)
{
	static const struct list list = { "zen.test", true, "https://x" };
	static const struct {
		const char *answer, *test, *wanted;
		bool is_heard;
	} rows[] = {
		{ "", "127.0.0.2", "", true },
		{ "127.0.0.4", "127.0.0.2",
		  "e 192.0.2.7 is on the list zen.test (127.0.0.4)", true },
		{ "", "", "", false },
		{ "S", "127.0.0.2", "", false },
		{ "", "S", "", false },
		{ "127.255.255.254", "127.255.255.254", "w answers no questions", true },
		{ "203.0.113.9", "203.0.113.9", "",
		  false }, /* somebody bought the name */
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		PW_AUTO(check_report_done) struct check_report report = { 0 };
		struct pw_dns_record one = { 0 }, two = { 0 };
		struct pw_dns_answer answer = answer_of(&one, rows[i].answer);
		struct pw_dns_answer test = answer_of(&two, rows[i].test);
		struct pw_ip ip;

		assert_int_equal(pw_ip_parse(&ip, PW_STR("192.0.2.7")), PW_OK);
		assert_int_equal(judge_listing(&report, &list, ip, &answer, &test),
		                 rows[i].is_heard);
		report_expect(&report, rows[i].wanted);
	}
}

static void test_relay(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned int port;
	} rows[] = {
		{ "[10.9.0.1]:2525", "10.9.0.1", 2525 },
		{ "[2001:db8::1]", "2001:db8::1", 25 },
		{ "relay.test:587", "relay.test", 587 },
		{ "relay.test", "relay.test", 25 },
		{ "[relay.test]:smtp", "relay.test", 25 },
		{ "[relay.test]:submission", "relay.test", 587 },
		{ "relay.test:submissions", "relay.test", 465 },
		{ "relay.test:x", NULL, 0 },
		{ "", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		struct pw_str host = { 0 };
		unsigned int port = 0;

		assert_int_equal(parse_relay(pw_str_from(rows[i].text), &host, &port),
		                 rows[i].host != NULL);
		assert_true(pw_str_eq(host, pw_str_from(rows[i].host)));
		assert_int_equal(port, rows[i].port);
	}
}

/* Thousands of problems: the first are told whole, and that there are more. */
static void test_many_problems(void **state)
{
	PW_AUTO(check_report_done) struct check_report report = { 0 };
	struct check_problem p = { 0 };
	struct pw_str rest;
	size_t count = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		check_error(&report, "problem %d of a mailbox somewhere", i);
		check_cure(&report, "a command that cures it");
	}
	assert_true(report.bytes.len < (size_t)150 * 1024);
	rest = pw_buf_str(&report.bytes);
	while (check_next(&rest, &p) && p.severity == CHECK_ERROR) {
		assert_true(pw_str_eq(p.cure, PW_STR("a command that cures it")));
		count++;
	}
	assert_true(count > 1000);
	assert_int_equal(p.severity, CHECK_WARNING);
	assert_true(
		pw_str_eq(p.text, PW_STR("there are more problems than can be told")));
	assert_int_equal(p.cure.len, 0);
	assert_int_equal(rest.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter), cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_space),  cmocka_unit_test(test_queue),
		cmocka_unit_test(test_held),   cmocka_unit_test(test_arrival),
		cmocka_unit_test(test_units),  cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_ports),  cmocka_unit_test(test_listing),
		cmocka_unit_test(test_relay),  cmocka_unit_test(test_many_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
