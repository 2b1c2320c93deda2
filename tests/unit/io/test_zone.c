#include "../table.h"

#include <string.h>
#include <unistd.h>

#include "io/zone.h"

static const char good[] =
	"{\"Example.ORG.\": {\"TXT\": [\"v=spf1 -all\", \"a\\u0000b\"],"
	"                   \"MX\": [[10, \"mx.example.org.\"], [0, \"\"]],"
	"                   \"A\": [\"192.0.2.1\", \"192.0.2.2\"], \"AAAA\": "
	"[\"2001:db8::1\"]},"
	" \"1.2.0.192.in-addr.arpa\": {\"PTR\": [\"host.example.org\"]},"
	" \"slow.example\": {\"rcode\": \"TIMEOUT\", \"A\": [\"192.0.2.3\"], \"MX\": []},"
	" \"broken.example\": {\"rcode\": \"SERVFAIL\"},"
	" \"gone.example\": {\"rcode\": \"NXDOMAIN\"},"
	" \"_imaps._tcp.example\": {\"SRV\": [[0, 1, 993, \"mx.example\"]], \"NS\": "
	"[\"ns1.example\"]},"
	" \"empty.example\": {},"
	" \"alias.example\": {\"CNAME\": \"ALIAS2.example.\"},"
	" \"alias2.example\": {\"CNAME\": \"example.org\"},"
	" \"nowhere.example\": {\"CNAME\": \"nothing.example\"},"
	" \"loop.example\": {\"CNAME\": \"loop.example\"}}";

/* clang-format off */
static struct answer_row {
	const char *label;
	enum pw_dns_type type;
	const char *name;
	enum pw_dns_rcode rcode;
	const char *records; /* each followed by '|' */
} answer_rows[] = {
	{ "TXT",                   PW_DNS_TXT,  "example.org",     PW_DNS_OK, "v=spf1 -all|a?b|" },
	{ "MX",                    PW_DNS_MX,   "example.org",     PW_DNS_OK, "10 mx.example.org|0 |" },
	{ "A",                     PW_DNS_A,    "example.org",     PW_DNS_OK, "192.0.2.1|192.0.2.2|" },
	{ "AAAA",                  PW_DNS_AAAA, "example.org",     PW_DNS_OK, "2001:db8::1|" },
	{ "PTR",                   PW_DNS_PTR,  "1.2.0.192.in-addr.arpa", PW_DNS_OK, "host.example.org|" },
	{ "case and final dot",    PW_DNS_A,    "EXAMPLE.org.",    PW_DNS_OK, "192.0.2.1|192.0.2.2|" },
	{ "SRV",                   PW_DNS_SRV,  "_imaps._tcp.example", PW_DNS_OK, "mx.example|" },
	{ "NS",                    PW_DNS_NS,   "_imaps._tcp.example", PW_DNS_OK, "ns1.example|" },
	{ "absent type",           PW_DNS_PTR,  "example.org",     PW_DNS_OK, "" },
	{ "absent name",           PW_DNS_A,    "other.example",   PW_DNS_NXDOMAIN, "" },
	{ "no types",              PW_DNS_A,    "empty.example",   PW_DNS_OK, "" },
	{ "rcode TIMEOUT",         PW_DNS_TXT,  "slow.example",    PW_DNS_TIMEOUT, "" },
	{ "listed beside rcode",   PW_DNS_A,    "slow.example",    PW_DNS_OK, "192.0.2.3|" },
	{ "empty list beside rcode", PW_DNS_MX, "slow.example",    PW_DNS_OK, "" },
	{ "rcode SERVFAIL",        PW_DNS_A,    "broken.example",  PW_DNS_SERVFAIL, "" },
	{ "rcode NXDOMAIN",        PW_DNS_A,    "gone.example",    PW_DNS_NXDOMAIN, "" },
	{ "alias of an alias",     PW_DNS_AAAA, "alias.example",   PW_DNS_OK, "2001:db8::1|" },
	{ "alias to nowhere",      PW_DNS_A,    "nowhere.example", PW_DNS_NXDOMAIN, "" },
	{ "alias loop",            PW_DNS_A,    "loop.example",    PW_DNS_SERVFAIL, "" },
	{ "name DNS cannot carry", PW_DNS_A,    "a..b",            PW_DNS_NXDOMAIN, "" },
};

static struct bad_row {
	const char *label, *json;
	enum pw_status status;
} bad_rows[] = {
	{ "empty file",            "", PW_ERR_SYNTAX },
	{ "not JSON",              "{", PW_ERR_SYNTAX },
	{ "text after it",         "{} {", PW_ERR_SYNTAX },
	{ "a list",                "[]", PW_ERR_SYNTAX },
	{ "name is a list",        "{\"a\": []}", PW_ERR_SYNTAX },
	{ "unknown type",          "{\"a\": {\"SPF\": []}}", PW_ERR_SYNTAX },
	{ "type is no list",       "{\"a\": {\"A\": \"192.0.2.1\"}}", PW_ERR_SYNTAX },
	{ "bad address",           "{\"a\": {\"A\": [\"192.0.2\"]}}", PW_ERR_SYNTAX },
	{ "IPv6 as A",             "{\"a\": {\"A\": [\"::1\"]}}", PW_ERR_SYNTAX },
	{ "IPv4 as AAAA",          "{\"a\": {\"AAAA\": [\"192.0.2.1\"]}}", PW_ERR_SYNTAX },
	{ "MX without preference", "{\"a\": {\"MX\": [\"mx\"]}}", PW_ERR_SYNTAX },
	{ "MX of three",           "{\"a\": {\"MX\": [[1, \"a\", 2]]}}", PW_ERR_SYNTAX },
	{ "MX preference as text", "{\"a\": {\"MX\": [[\"1\", \"a\"]]}}", PW_ERR_SYNTAX },
	{ "MX preference 65536",   "{\"a\": {\"MX\": [[65536, \"a\"]]}}", PW_ERR_SYNTAX },
	{ "TXT of strings",        "{\"a\": {\"TXT\": [[\"a\", \"b\"]]}}", PW_ERR_SYNTAX },
	{ "TXT null",              "{\"a\": {\"TXT\": [null]}}", PW_ERR_SYNTAX },
	{ "unknown rcode",         "{\"a\": {\"rcode\": \"REFUSED\"}}", PW_ERR_SYNTAX },
	{ "rcode as number",       "{\"a\": {\"rcode\": 2}}", PW_ERR_SYNTAX },
	{ "CNAME as list",         "{\"a\": {\"CNAME\": [\"b\"]}}", PW_ERR_SYNTAX },
};
/* clang-format on */

static enum pw_status open_text(struct pw_resolver **out, const char *json,
                                struct pw_buf *why)
{
	char path[] = "/tmp/zone-test-XXXXXX";
	int fd = mkstemp(path);
	enum pw_status r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, json, strlen(json)), (ssize_t)strlen(json));
	close(fd);
	r = pw_zone_open(out, path, why);
	unlink(path);
	return r;
}

static void check_answer(void **state)
{
	const struct answer_row *row = *state;
	PW_AUTO(pw_resolver_close) struct pw_resolver *zone = NULL;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_dns_question q = { row->type, pw_str_from(row->name) };
	struct pw_dns_answer answer;

	assert_int_equal(open_text(&zone, good, &text), PW_OK);
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_dns_lookup(zone, &q, 0, arena, &answer), PW_OK);
	pw_resolver_close(&zone); /* the answer does not need it */
	assert_int_equal(answer.rcode, row->rcode);
	for (size_t i = 0; i < answer.count; i++) {
		if (row->type == PW_DNS_MX)
			pw_buf_printf(&text, "%d ", answer.records[i].preference);
		pw_ip_put(&text, answer.records[i].ip);
		pw_buf_puts(&text, answer.records[i].text);
		pw_buf_putc(&text, '|');
	}
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] == '\0')
			text.at[i] = '?';
	assert_string_equal(pw_buf_text(&text), row->records);
}

static void check_bad(void **state)
{
	const struct bad_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_resolver *zone = NULL;

	assert_int_equal(open_text(&zone, row->json, &why), row->status);
	assert_null(zone);
	assert_true(why.len > 0);
}

static void absent_file(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_resolver *zone = NULL;

	(void)state;
	assert_int_equal(pw_zone_open(&zone, "/nonexistent/zone.json", &why),
	                 PW_ERR_NOTFOUND);
	assert_true(why.len > 0);
}

static void dropped_question(void **state)
{
	PW_AUTO(pw_resolver_close) struct pw_resolver *zone = NULL;
	PW_AUTO(pw_dns_drop) struct pw_dns_ticket *ticket = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_dns_question q = { PW_DNS_A, PW_STR("example.org") };

	(void)state;
	assert_int_equal(open_text(&zone, good, &why), PW_OK);
	assert_int_equal(pw_dns_ask(zone, &q, &ticket), PW_OK);
	pw_dns_drop(&ticket);
	assert_null(ticket);
	assert_int_equal(pw_dns_ask(zone, &q, &ticket), PW_OK);
}

int main(void)
{
	struct CMUnitTest tests[2 + PW_LEN(answer_rows) + PW_LEN(bad_rows)] = {
		cmocka_unit_test(absent_file),
		cmocka_unit_test(dropped_question),
	};

	PW_TABLE_TESTS(tests, 2, answer_rows, check_answer);
	PW_TABLE_TESTS(tests, 2 + PW_LEN(answer_rows), bad_rows, check_bad);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
