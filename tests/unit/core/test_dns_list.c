#include "../table.h"

#include "core/dns_list.h"

struct row {
	const char *label, *codes, *ip;
	bool fits;
};

static struct row rows[] = {
	{ "one", "127.0.0.2", "127.0.0.2", true },
	{ "another", "127.0.0.2", "127.0.0.3", false },
	{ "range, first", "127.0.0.4-7", "127.0.0.4", true },
	{ "range, last", "127.0.0.4-7", "127.0.0.7", true },
	{ "behind the range", "127.0.0.4-7", "127.0.0.8", false },
	{ "any", "127.0.*.1", "127.0.255.1", true },
	{ "any, but the rest", "127.0.*.1", "127.0.255.2", false },
	{ "bit", "127.0.0.&8", "127.0.0.14", true },
	{ "other bits", "127.0.0.&8", "127.0.0.6", false },
	{ "one of two bits", "127.0.0.&12", "127.0.0.4", true },
	{ "the second", "127.0.0.2  127.0.0.9", "127.0.0.9", true },
	{ "none", "", "127.0.0.2", false },
	{ "IPv6", "127.0.0.2", "::7f00:2", false },
};

static void check_codes(void **state)
{
	const struct row *row = *state;
	struct pw_dns_codes codes;
	struct pw_ip ip;

	assert_int_equal(pw_ip_parse(&ip, pw_str_from(row->ip)), PW_OK);
	assert_int_equal(pw_dns_codes_parse(&codes, pw_str_from(row->codes)), PW_OK);
	assert_int_equal(pw_dns_codes_match(&codes, ip), row->fits);
}

static void check_bad(void **state)
{
	static const char *const bad[] = { "127.0.0",      "127.0.0.2.3", "127.0.0.256",
		                           "127.0.0.0002", "127.0.0.",    "127.0.0.7-4",
		                           "127.0.0.&0",   "127.0.0.2,",  "a.0.0.2",
		                           "127.0.0.4-",   "127.0.0.-4",  "127.0.0.**" };
	struct pw_dns_codes codes;

	(void)state;
	for (size_t i = 0; i < PW_LEN(bad); i++)
		assert_int_equal(pw_dns_codes_parse(&codes, pw_str_from(bad[i])),
		                 PW_ERR_SYNTAX);
	assert_int_equal(
		pw_dns_codes_parse(&codes, PW_STR("1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 "
	                                          "1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 "
	                                          "1.1.1.1")),
		PW_ERR_LIMIT);
}

static void check_names(void **state)
{
	static const char *const names[][2] = {
		{ "192.0.2.7", "7.2.0.192.bl.test" },
		{ "2001:db8::7", "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
		                 "8.b.d.0.1.0.0.2.bl.test" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(names); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
		struct pw_ip ip;

		assert_int_equal(pw_ip_parse(&ip, pw_str_from(names[i][0])), PW_OK);
		pw_dns_list_put_name(&name, ip, PW_STR("bl.test"));
		assert_string_equal(pw_buf_text(&name), names[i][1]);
	}
}

static enum pw_dns_list_word word_of(enum pw_dns_rcode rcode, const char *first,
                                     const char *second)
{
	const char *const texts[] = { first, second };
	struct pw_dns_record records[2] = { 0 };
	struct pw_dns_answer answer = { .rcode = rcode, .records = records };
	struct pw_dns_codes refusals;

	for (size_t i = 0; i < 2 && texts[i] != NULL; i++)
		assert_int_equal(
			pw_ip_parse(&records[answer.count++].ip, pw_str_from(texts[i])),
			PW_OK);
	assert_int_equal(pw_dns_codes_parse(&refusals, PW_STR("127.0.0.1 127.255.255.*")),
	                 PW_OK);
	return pw_dns_list_read(&answer, &refusals);
}

static void check_answers(void **state)
{
	(void)state;
	assert_int_equal(word_of(PW_DNS_NXDOMAIN, NULL, NULL), PW_DNS_LIST_CLEAN);
	assert_int_equal(word_of(PW_DNS_OK, NULL, NULL), PW_DNS_LIST_CLEAN);
	assert_int_equal(word_of(PW_DNS_OK, "127.0.0.2", NULL), PW_DNS_LIST_LISTED);
	assert_int_equal(word_of(PW_DNS_OK, "127.0.0.1", NULL), PW_DNS_LIST_REFUSED);
	assert_int_equal(word_of(PW_DNS_OK, "127.0.0.2", "127.255.255.254"),
	                 PW_DNS_LIST_REFUSED);
	assert_int_equal(word_of(PW_DNS_OK, "192.0.2.80", NULL), PW_DNS_LIST_REFUSED);
	assert_int_equal(word_of(PW_DNS_SERVFAIL, NULL, NULL), PW_DNS_LIST_NO_ANSWER);
	assert_int_equal(word_of(PW_DNS_TIMEOUT, NULL, NULL), PW_DNS_LIST_NO_ANSWER);
}

static void check_health(void **state)
{
	const enum pw_dns_list_word clean = PW_DNS_LIST_CLEAN,
				    listed = PW_DNS_LIST_LISTED,
				    refused = PW_DNS_LIST_REFUSED,
				    silent = PW_DNS_LIST_NO_ANSWER;

	(void)state;
	assert_int_equal(pw_dns_list_judge(&listed, &clean), PW_DNS_LIST_GOOD);
	assert_int_equal(pw_dns_list_judge(NULL, NULL), PW_DNS_LIST_GOOD);
	assert_int_equal(pw_dns_list_judge(&listed, NULL), PW_DNS_LIST_GOOD);
	assert_int_equal(pw_dns_list_judge(&clean, &clean), PW_DNS_LIST_BROKEN);
	assert_int_equal(pw_dns_list_judge(&listed, &listed), PW_DNS_LIST_BROKEN);
	assert_int_equal(pw_dns_list_judge(&refused, &silent), PW_DNS_LIST_REFUSES);
	assert_int_equal(pw_dns_list_judge(&silent, &refused), PW_DNS_LIST_REFUSES);
	assert_int_equal(pw_dns_list_judge(&silent, &clean), PW_DNS_LIST_AWAY);
	assert_int_equal(pw_dns_list_judge(NULL, &silent), PW_DNS_LIST_AWAY);
	assert_string_equal(pw_dns_list_state_text(PW_DNS_LIST_REFUSES), "refuses");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 4] = {
		[PW_LEN(rows)] = cmocka_unit_test(check_bad),
		[PW_LEN(rows) + 1] = cmocka_unit_test(check_names),
		[PW_LEN(rows) + 2] = cmocka_unit_test(check_answers),
		[PW_LEN(rows) + 3] = cmocka_unit_test(check_health),
	};

	PW_TABLE_TESTS(tests, 0, rows, check_codes);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
