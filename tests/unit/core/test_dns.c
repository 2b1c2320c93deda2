#include "../table.h"

#include <string.h>

#include "core/dns.h"

/* clang-format off */
#define L63 "123456789012345678901234567890123456789012345678901234567890abc"
static struct name_row {
	const char *label, *name;
	bool is_valid;
} name_rows[] = {
	{ "plain",              "example.org",           true },
	{ "final dot",          "example.org.",          true },
	{ "underscore",         "_dmarc.example.org",    true },
	{ "label of 63",        L63 ".org",              true },
	{ "label of 64",        L63 "x.org",             false },
	{ "253 bytes",          L63 "." L63 "." L63 ".1234567890123456789012345678901234567890123456789012345678901", true },
	{ "254 bytes",          L63 "." L63 "." L63 ".12345678901234567890123456789012345678901234567890123456789012", false },
	{ "empty",              "",                      false },
	{ "root",               ".",                     false },
	{ "empty label first",  ".example.org",          false },
	{ "empty label inside", "example..org",          false },
	{ "two final dots",     "example.org..",         false },
};

#define W63 "\x3f" L63
#define BYTES(literal) literal, sizeof(literal) - 1
static struct rdata_row {
	const char *label;
	enum pw_dns_type type;
	const char *rdata;
	size_t len;
	enum pw_status status;
	const char *text; /* of address or text */
} rdata_rows[] = {
	{ "A",                     PW_DNS_A,    BYTES("\xc0\0\2\1"), PW_OK, "192.0.2.1" },
	{ "A of 16 bytes",         PW_DNS_A,    BYTES("0123456789abcdef"), PW_ERR_SYNTAX, NULL },
	{ "AAAA",                  PW_DNS_AAAA, BYTES("\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), PW_OK, "2001:db8::1" },
	{ "AAAA of 4 bytes",       PW_DNS_AAAA, BYTES("\xc0\0\2\1"), PW_ERR_SYNTAX, NULL },
	{ "MX",                    PW_DNS_MX,   BYTES("\1\2\2mx\7example\0"), PW_OK, "mx.example" },
	{ "null MX",               PW_DNS_MX,   BYTES("\0\0\0"), PW_OK, "" },
	{ "MX without name",       PW_DNS_MX,   BYTES("\0\12"), PW_ERR_SYNTAX, NULL },
	{ "SRV",                   PW_DNS_SRV,  BYTES("\0\1\0\2\3\xe1\2mx\7example\0"), PW_OK, "mx.example" },
	{ "SRV without target",    PW_DNS_SRV,  BYTES("\0\1\0\2\3\xe1"), PW_ERR_SYNTAX, NULL },
	{ "SRV cut",               PW_DNS_SRV,  BYTES("\0\1\0\2\3"), PW_ERR_SYNTAX, NULL },
	{ "NS",                    PW_DNS_NS,   BYTES("\3ns1\7example\0"), PW_OK, "ns1.example" },
	{ "PTR",                   PW_DNS_PTR,  BYTES("\1a\2b_\3c-c\0"), PW_OK, "a.b_.c-c" },
	{ "PTR without root",      PW_DNS_PTR,  BYTES("\1a\2b_"), PW_ERR_SYNTAX, NULL },
	{ "PTR bytes after root",  PW_DNS_PTR,  BYTES("\1a\0x"), PW_ERR_SYNTAX, NULL },
	{ "PTR empty rdata",       PW_DNS_PTR,  "", 0, PW_ERR_SYNTAX, NULL },
	{ "PTR label too long",    PW_DNS_PTR,  BYTES("\3a"), PW_ERR_SYNTAX, NULL },
	{ "PTR compressed",        PW_DNS_PTR,  BYTES("\xc0\x0c"), PW_ERR_SYNTAX, NULL },
	{ "PTR dot in a label",    PW_DNS_PTR,  BYTES("\3a.b\0"), PW_ERR_SYNTAX, NULL },
	{ "PTR blank in a label",  PW_DNS_PTR,  BYTES("\3a b\0"), PW_ERR_SYNTAX, NULL },
	{ "PTR LF in a label",     PW_DNS_PTR,  BYTES("\3a\nb\0"), PW_ERR_SYNTAX, NULL },
	{ "PTR 8-bit label",       PW_DNS_PTR,  BYTES("\3a\xe9z\0"), PW_ERR_SYNTAX, NULL },
	{ "PTR backslash",         PW_DNS_PTR,  BYTES("\3a\\b\0"), PW_ERR_SYNTAX, NULL },
	{ "PTR over 253 bytes",    PW_DNS_PTR,  BYTES(W63 W63 W63 W63 "\0"), PW_ERR_SYNTAX, NULL },
	{ "TXT strings joined",    PW_DNS_TXT,  BYTES("\7v=spf1 \4-all"), PW_OK, "v=spf1 -all" },
	{ "TXT empty strings",     PW_DNS_TXT,  BYTES("\0\0\1x\0"), PW_OK, "x" },
	{ "TXT no string",         PW_DNS_TXT,  "", 0, PW_OK, "" },
	{ "TXT length too long",   PW_DNS_TXT,  BYTES("\5abc"), PW_ERR_SYNTAX, NULL },
};
/* clang-format on */

static void check_name(void **state)
{
	const struct name_row *row = *state;

	assert_int_equal(pw_dns_name_is_valid(pw_str_from(row->name)), row->is_valid);
}

static void arpa_names(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_ip ip;

	(void)state;
	assert_int_equal(pw_ip_from_bytes(&ip, "\xc0\x00\x02\x01", 4), PW_OK);
	pw_dns_put_arpa(&out, ip);
	assert_string_equal(pw_buf_text(&out), "1.2.0.192.in-addr.arpa");
	assert_int_equal(pw_ip_from_bytes(&ip, "12345", 5), PW_ERR_SYNTAX);
}

static void check_rdata(void **state)
{
	const struct rdata_row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_dns_record record = { 0 };

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_dns_record_read(&record, arena, row->type,
	                                    (struct pw_str){ row->rdata, row->len }),
	                 row->status);
	if (row->status != PW_OK)
		return;
	pw_ip_put(&text, record.ip);
	pw_buf_puts(&text, record.text);
	assert_string_equal(pw_buf_text(&text), row->text);
	if (row->type == PW_DNS_MX && text.len > 0)
		assert_int_equal(record.preference, 258);
	if (row->type == PW_DNS_SRV)
		assert_int_equal(record.port, 993);
}

static void txt_over_its_bound_is_a_limit(void **state)
{
	static char rdata[256 * (PW_DNS_TXT_MAX / 255 + 1)];
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_dns_record record = { 0 };

	(void)state;
	memset(rdata, 0xff, sizeof(rdata)); /* lengths and content alike */
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_dns_record_read(&record, arena, PW_DNS_TXT,
	                                    (struct pw_str){ rdata, sizeof(rdata) }),
	                 PW_ERR_LIMIT);
	assert_int_equal(
		pw_dns_record_read(&record, arena, PW_DNS_TXT,
	                           (struct pw_str){ rdata, sizeof(rdata) - 256 }),
		PW_OK);
}

static void names_of_types_and_rcodes(void **state)
{
	enum pw_dns_type type;
	enum pw_dns_rcode rcode;

	(void)state;
	for (int i = 0; i < PW_DNS_TYPES; i++) {
		assert_int_equal(pw_dns_type_parse(&type, pw_str_from(pw_dns_type_text(
								  (enum pw_dns_type)i))),
		                 PW_OK);
		assert_int_equal(type, i);
	}
	assert_int_equal(pw_dns_type_parse(&type, PW_STR("aaaa")), PW_OK);
	assert_int_equal(pw_dns_type_parse(&type, PW_STR("AA")), PW_ERR_NOTFOUND);
	assert_int_equal(pw_dns_rcode_parse(&rcode, PW_STR("SERVFAIL")), PW_OK);
	assert_int_equal(rcode, PW_DNS_SERVFAIL);
	assert_int_equal(pw_dns_rcode_parse(&rcode, PW_STR("servfail")), PW_ERR_NOTFOUND);
}

int main(void)
{
	struct CMUnitTest tests[3 + PW_LEN(name_rows) + PW_LEN(rdata_rows)] = {
		cmocka_unit_test(arpa_names),
		cmocka_unit_test(txt_over_its_bound_is_a_limit),
		cmocka_unit_test(names_of_types_and_rcodes),
	};

	PW_TABLE_TESTS(tests, 3, name_rows, check_name);
	PW_TABLE_TESTS(tests, 3 + PW_LEN(name_rows), rdata_rows, check_rdata);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
