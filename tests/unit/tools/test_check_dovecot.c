#include "report.h"

#include <string.h>

#include "tools/certificate.h"
#include "tools/check/certificates.h"
#include "tools/check/dovecot.h"

#define OLD "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\n"
#define NEW "# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf\n"
#define OLD_USERS "userdb {\n  driver = postward\n}\n"
#define NEW_USERS "userdb postward {\n}\n"
#define OURS_ENDS                                                                        \
	"passdb {\n  driver = postward\n  result_failure = return-fail\n"                \
	"  result_internalfail = return-fail\n}\n"
#define EDGE                                                                             \
	"service imap-login {\n  inet_listener imaps-edge {\n    haproxy = yes\n  "      \
	"}\n}\n"
#define PAM "passdb {\n  driver = pam\n}\n"

struct row {
	const char *label, *text, *wanted;
	void (*judge)(struct check_report *, const struct doveconf *);
};

/* clang-format off */
static struct row rows[] = {
	{ "2.3 in order",       OLD OURS_ENDS OLD_USERS, "", judge_logins },
	{ "2.3, PAM behind",    OLD OURS_ENDS PAM OLD_USERS, "", judge_logins },
	{ "2.3, PAM is asked",  OLD "passdb {\n  driver = postward\n}\n" PAM OLD_USERS, "w asks pam about logins that postward refused", judge_logins },
	{ "2.3, PAM first",     OLD PAM OURS_ENDS OLD_USERS, "e asks pam about every login", judge_logins },
	{ "2.3, master first",  OLD "passdb {\n  driver = passwd-file\n  master = yes\n}\n" OURS_ENDS OLD_USERS, "", judge_logins },
	{ "2.3, no mailboxes",  OLD OURS_ENDS "userdb {\n  driver = passwd\n}\n", "e where mailboxes lie", judge_logins },
	{ "2.3, in clear",      OLD "disable_plaintext_auth = no\n" OURS_ENDS OLD_USERS, "e passwords without TLS", judge_logins },
	{ "2.3, no TLS",        OLD "ssl = no\n" OURS_ENDS OLD_USERS, "e offers no TLS", judge_logins },
	{ "2.3, old TLS",       OLD "ssl_min_protocol = TLSv1\n" OURS_ENDS OLD_USERS, "w TLS older than 1.2", judge_logins },
	{ "2.4 in order",       NEW "passdb postward {\n}\n" NEW_USERS, "", judge_logins },
	{ "2.4, driver named",  NEW "passdb sql {\n  driver = postward\n}\n" NEW_USERS, "", judge_logins },
	{ "2.4, PAM first",     NEW "passdb pam {\n}\npassdb postward {\n}\n" NEW_USERS, "e asks pam about every login", judge_logins },
	{ "2.4, PAM behind",    NEW "passdb postward {\n  result_failure = return-fail\n  result_internalfail = return-fail\n}\npassdb pam {\n}\n" NEW_USERS, "", judge_logins },
	{ "2.4, fields inside", NEW "passdb postward {\n  fields {\n    driver = x\n  }\n}\n" NEW_USERS, "", judge_logins },
	{ "2.4, in clear",      NEW "auth_allow_cleartext = yes\npassdb postward {\n}\n" NEW_USERS, "e passwords without TLS", judge_logins },
	{ "nobody",             OLD OLD_USERS, "e does not ask postward about logins", judge_logins },

	{ "no word of others",  OLD "haproxy_trusted_networks = 0.0.0.0/0\n", "", judge_proxied_logins },
	{ "the edge's word",    OLD EDGE "haproxy_trusted_networks = 10.9.0.1\n", "", judge_proxied_logins },
	{ "its IPv6 one",       NEW EDGE "haproxy_trusted_networks = fd00::1/128 10.9.0.1/32\n", "", judge_proxied_logins },
	{ "nobody's word",      OLD EDGE, "e closes what the edge host passes on", judge_proxied_logins },
	{ "a network's word",   OLD EDGE "haproxy_trusted_networks = 10.9.0.1, 10.9.0.0/24\n", "w has 10.9.0.0/24", judge_proxied_logins },

	{ "2.3 plugins",        OLD "mail_plugins = \" quota quota_postward\"\nprotocol lmtp {\n  mail_plugins = \" quota sieve\"\n}\n", "", judge_plugins },
	{ "2.3, another name",  OLD "mail_plugins = quota_postward_x\nprotocol lmtp {\n  mail_plugins = sieve\n}\n", "e does not name quota_postward", judge_plugins },
	{ "2.4 plugins",        NEW "mail_plugins {\n  quota_postward = yes\n}\nprotocol lmtp {\n  mail_plugins {\n    sieve = yes\n  }\n}\n", "", judge_plugins },
	{ "2.4 switched off",   NEW "mail_plugins {\n  quota_postward = no\n}\nprotocol lmtp {\n  mail_plugins {\n    sieve = yes\n  }\n}\n", "e does not name quota_postward", judge_plugins },
	{ "no sieve",           NEW "mail_plugins {\n  quota_postward = yes\n}\n", "w does not name sieve", judge_plugins },
};
/* clang-format on */

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(doveconf_done) struct doveconf conf = { 0 };
	PW_AUTO(check_report_done) struct check_report report = { 0 };

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(doveconf_parse(&conf, arena, pw_str_from(row->text)), PW_OK);
	row->judge(&report, &conf);
	report_expect(&report, row->wanted);
}

static void test_abi(void **state)
{
	static const struct {
		const char *module, *library, *wanted;
	} abis[] = {
		{ "x2.3.ABIv19(2.3.19.1)", "2.3.ABIv19(2.3.21)", "" },
		{ "\0012.3.ABIv19(2.3.19.1)", "2.4.ABIv1(2.4.1)",
		  "e made for Dovecot 2.3.ABIv19" },
		{ "nothing", "2.4.ABIv1", "" },
		{ "2.4.ABIv1", NULL, "" }, /* could not be read */
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(abis); i++) {
		PW_AUTO(check_report_done) struct check_report report = { 0 };

		judge_abi(&report, "m.so", pw_str_from(abis[i].module),
		          pw_str_from(abis[i].library));
		report_expect(&report, abis[i].wanted);
	}
}

static void test_dialect(void **state)
{
	static const struct {
		const char *text;
		int minor;
		const char *wanted;
	} files[] = {
		{ "# x\npassdb {\n", 3, "" },
		{ "passdb postward {\n", 4, "" },
		{ "passdb {\n", 4, "e is written for Dovecot 2.3, and this is 2.4" },
		{ "  passdb postward {\n", 3,
		  "e is written for Dovecot 2.4, and this is 2.3" },
		{ "service auth {\n", 3, "" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(files); i++) {
		PW_AUTO(check_report_done) struct check_report report = { 0 };
		const struct doveconf conf = { .major = 2, .minor = files[i].minor };

		judge_dialect(&report, "f", pw_str_from(files[i].text), &conf);
		report_expect(&report, files[i].wanted);
	}
}

static void test_complaints(void **state)
{
	PW_AUTO(check_report_done) struct check_report report = { 0 };

	(void)state;
	judge_complaints(
		&report,
		PW_STR("doveconf: Warning: NOTE: You can get a new clean config\n\n"
	               "doveconf: Warning: Obsolete setting in f:1: x\n"));
	report_expect(&report, "w Obsolete setting");
}

static void test_certificate_files(void **state)
{
	static const char *const texts[] = {
		OLD "ssl_cert = </x/cert.pem\nssl_key = </x/key.pem\n",
		NEW
		"ssl_server {\n  cert_file = /x/cert.pem\n  key_file = /x/key.pem\n}\n",
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(texts); i++) {
		PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
		PW_AUTO(doveconf_done) struct doveconf conf = { 0 };
		struct certificate_files files;

		assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
		assert_int_equal(doveconf_parse(&conf, arena, pw_str_from(texts[i])),
		                 PW_OK);
		files = certificate_of_dovecot(&conf);
		assert_true(pw_str_eq(files.chain, PW_STR("/x/cert.pem")));
		assert_true(pw_str_eq(files.key, PW_STR("/x/key.pem")));
	}
}

#define DAY ((int64_t)86400)

static void test_certificate(void **state)
{
	static const struct {
		struct certificate cert;
		const char *wanted;
	} certs[] = {
		{ { 0, 100 * DAY, false, true, true, true }, "" },
		{ { 0, 14 * DAY + 10 * DAY, false, true, true, true }, "" },
		{ { 0, 14 * DAY + 9 * DAY, false, true, true, true },
		  "w expires in 13 days" },
		{ { 0, 10 * DAY, false, true, true, true }, "e expired 0 days ago" },
		{ { 0, 5 * DAY, false, true, true, true }, "e expired 5 days ago" },
		{ { 11 * DAY, 99 * DAY, false, true, true, true }, "e not valid yet" },
		{ { 0, 100 * DAY, true, true, true, true }, "w self-signed" },
		{ { 0, 100 * DAY, false, false, true, true }, "w is not for h.test" },
		{ { 0, 100 * DAY, false, true, true, false },
		  "e the private key is not that" },
		{ { 0, 100 * DAY, false, true, false, false }, "" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(certs); i++) {
		PW_AUTO(check_report_done) struct check_report report = { 0 };

		judge_certificate(&report, "X", &certs[i].cert, PW_STR("h.test"),
		                  10 * DAY);
		report_expect(&report, certs[i].wanted);
	}
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 5];

	PW_TABLE_TESTS(tests, 0, rows, check);
	tests[PW_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(test_abi);
	tests[PW_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_dialect);
	tests[PW_LEN(rows) + 2] = (struct CMUnitTest)cmocka_unit_test(test_complaints);
	tests[PW_LEN(rows) + 3] = (struct CMUnitTest)cmocka_unit_test(test_certificate);
	tests[PW_LEN(rows) + 4] =
		(struct CMUnitTest)cmocka_unit_test(test_certificate_files);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
