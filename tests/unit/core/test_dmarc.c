#include "../table.h"

#include <string.h>

#include "core/dmarc.h"

#define NONE PW_DMARC_P_NONE
#define QUARANTINE PW_DMARC_P_QUARANTINE
#define REJECT PW_DMARC_P_REJECT

struct parse_row {
	const char *label, *text;
	enum pw_status status;
	struct pw_dmarc_record record;
};

/* clang-format off */
static struct parse_row parse_rows[] = {
	/* RFC 7489 appendix B.2 */
	{ "B.2.1", "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com", PW_OK,
	  { NONE, NONE, NONE, false, false, false, 100 } },
	{ "B.2.4", "v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,"
	  "mailto:tld-test@thirdparty.example.net!10m; pct=25", PW_OK,
	  { QUARANTINE, QUARANTINE, QUARANTINE, false, false, false, 25 } },
	{ "sp and np", "v=DMARC1; p=none; sp=reject; np=quarantine", PW_OK,
	  { NONE, REJECT, QUARANTINE, false, false, false, 100 } },
	{ "np without sp", "v=DMARC1; p=none; np=reject", PW_OK,
	  { NONE, NONE, REJECT, false, false, false, 100 } },
	{ "strict", "v=DMARC1;p=reject;adkim=s;aspf=s", PW_OK,
	  { REJECT, REJECT, REJECT, true, true, false, 100 } },
	{ "test mode", "v=DMARC1; p=reject; t=y", PW_OK,
	  { REJECT, REJECT, REJECT, false, false, true, 100 } },
	/* ugly */
	{ "blanks and case", " v = DMARC1 ; P = Reject ;", PW_OK,
	  { REJECT, REJECT, REJECT, false, false, false, 100 } },
	{ "unknown tags and junk", "v=DMARC1; p=reject; x; y=z; =; fo=1", PW_OK,
	  { REJECT, REJECT, REJECT, false, false, false, 100 } },
	{ "p last", "v=DMARC1; sp=none; p=reject", PW_OK,
	  { REJECT, NONE, NONE, false, false, false, 100 } },
	{ "first of two p", "v=DMARC1; p=none; p=reject", PW_OK,
	  { NONE, NONE, NONE, false, false, false, 100 } },
	{ "pct 0", "v=DMARC1; p=reject; pct=0", PW_OK,
	  { REJECT, REJECT, REJECT, false, false, false, 0 } },
	{ "pct 101", "v=DMARC1; p=reject; pct=101", PW_OK,
	  { REJECT, REJECT, REJECT, false, false, false, 100 } },
	{ "pct -1", "v=DMARC1; p=reject; pct=-1", PW_OK,
	  { REJECT, REJECT, REJECT, false, false, false, 100 } },
	{ "no p", "v=DMARC1; sp=reject", PW_ERR_SYNTAX, { 0 } },
	{ "bad p", "v=DMARC1; p=rejec", PW_ERR_SYNTAX, { 0 } },
	{ "no p, but somebody reads reports", "v=DMARC1; rua=mailto:a@b.test", PW_OK,
	  { NONE, NONE, NONE, false, false, false, 100 } },
	{ "bad sp, reports", "v=DMARC1; p=reject; sp=x; rua=mailto:a@b.test", PW_OK,
	  { NONE, NONE, NONE, false, false, false, 100 } },
	{ "v not first", "p=reject; v=DMARC1", PW_ERR_NOTFOUND, { 0 } },
	{ "v in another case", "v=dmarc1; p=reject", PW_ERR_NOTFOUND, { 0 } },
	{ "v longer", "v=DMARC10; p=reject", PW_ERR_NOTFOUND, { 0 } },
	{ "SPF", "v=spf1 -all", PW_ERR_NOTFOUND, { 0 } },
	{ "empty", "", PW_ERR_NOTFOUND, { 0 } },
};
/* clang-format on */

static void check_parse(void **state)
{
	const struct parse_row *row = *state;
	struct pw_dmarc_record record = { 0 };

	assert_int_equal(pw_dmarc_parse(&record, pw_str_from(row->text)), row->status);
	assert_int_equal(record.p, row->record.p);
	assert_int_equal(record.sp, row->record.sp);
	assert_int_equal(record.np, row->record.np);
	assert_int_equal(record.is_dkim_strict, row->record.is_dkim_strict);
	assert_int_equal(record.is_spf_strict, row->record.is_spf_strict);
	assert_int_equal(record.is_test, row->record.is_test);
	assert_int_equal(record.pct, row->record.pct);
}

static void too_long_is_a_limit(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_dmarc_record record;

	(void)state;
	pw_buf_puts(&text, PW_STR("v=DMARC1; p=reject; rua=mailto:a@b.test"));
	while (text.len <= PW_DMARC_RECORD_MAX)
		pw_buf_puts(&text, PW_STR(",mailto:a@b.test"));
	assert_int_equal(pw_dmarc_parse(&record, pw_buf_str(&text)), PW_ERR_LIMIT);
}

/* own, org: records of an answer parted by '|'; "-" NXDOMAIN, "!" SERVFAIL, "" no data. */
struct decide_row {
	const char *label, *from, *org, *own_records, *org_records;
	const char *spf, *dkim; /* domain that passed, "?" before it: DNS failed; "" none */
	uint8_t sample;
	bool is_nonexistent;
	enum pw_dmarc_result result;
	enum pw_dmarc_policy policy, disposition;
};

#define P_REJECT "v=DMARC1; p=reject"
#define PASS PW_DMARC_PASS
#define FAIL PW_DMARC_FAIL
#define TEMP PW_DMARC_TEMPERROR

/* clang-format off */
static struct decide_row decide_rows[] = {
	/* RFC 7489 appendix B.1: identifier alignment */
	{ "B.1.1 SPF equal", "example.com", "example.com", P_REJECT, "-", "example.com", "", 0, false, PASS, REJECT, NONE },
	{ "B.1.1 SPF of a child", "example.com", "example.com", P_REJECT, "-", "child.example.com", "", 0, false, PASS, REJECT, NONE },
	{ "B.1.1 SPF unaligned", "example.com", "example.com", P_REJECT, "-", "sample.net", "", 0, false, FAIL, REJECT, REJECT },
	{ "B.1.2 DKIM parent", "child.example.com", "example.com", P_REJECT, "-", "", "example.com", 0, false, PASS, REJECT, NONE },
	{ "strict DKIM parent", "child.example.com", "example.com", P_REJECT ";adkim=s", "-", "", "example.com", 0, false, FAIL, REJECT, REJECT },
	{ "strict SPF is DKIM's not", "example.com", "example.com", P_REJECT ";aspf=s", "-", "", "a.example.com", 0, false, PASS, REJECT, NONE },
	{ "strict SPF", "example.com", "example.com", P_REJECT ";aspf=s", "-", "a.example.com", "", 0, false, FAIL, REJECT, REJECT },
	{ "case of names", "EXAMPLE.com", "example.COM", P_REJECT, "-", "Example.Com", "", 0, false, PASS, REJECT, NONE },
	/* policy discovery, 6.6.3 */
	{ "record of the organisation", "a.example.com", "example.com", "-", P_REJECT, "", "", 0, false, FAIL, REJECT, REJECT },
	{ "sp", "a.example.com", "example.com", "", P_REJECT "; sp=none", "", "", 0, false, FAIL, NONE, NONE },
	{ "np", "a.example.com", "example.com", "-", "v=DMARC1; p=none; np=reject", "", "", 0, true, FAIL, REJECT, REJECT },
	{ "own record wins", "a.example.com", "example.com", "v=DMARC1; p=none", P_REJECT, "", "", 0, false, FAIL, NONE, NONE },
	{ "no record", "example.com", "example.com", "-", "-", "", "", 0, false, PW_DMARC_NONE, NONE, NONE },
	{ "no author", "", "", P_REJECT, "-", "", "", 0, false, PW_DMARC_NONE, NONE, NONE },
	{ "two records", "example.com", "example.com", P_REJECT "|" P_REJECT, "-", "", "", 0, false, PW_DMARC_NONE, NONE, NONE },
	{ "two, the organisation is not asked", "a.example.com", "example.com", P_REJECT "|" P_REJECT, P_REJECT, "", "", 0, false, PW_DMARC_NONE, NONE, NONE },
	{ "other TXT beside it", "example.com", "example.com", "v=spf1 -all|" P_REJECT, "-", "", "", 0, false, FAIL, REJECT, REJECT },
	{ "broken record", "example.com", "example.com", "v=DMARC1; p=x", "-", "", "", 0, false, PW_DMARC_PERMERROR, NONE, NONE },
	/* DNS trouble never rejects */
	{ "own away", "example.com", "example.com", "!", "-", "", "", 0, false, TEMP, NONE, NONE },
	{ "organisation away", "a.example.com", "example.com", "-", "!", "", "", 0, false, TEMP, NONE, NONE },
	{ "organisation away, not needed", "a.example.com", "example.com", P_REJECT, "!", "", "", 0, false, FAIL, REJECT, REJECT },
	{ "aligned SPF away", "example.com", "example.com", P_REJECT, "-", "?example.com", "", 0, false, TEMP, REJECT, NONE },
	{ "aligned key away", "example.com", "example.com", P_REJECT, "-", "", "?example.com", 0, false, TEMP, REJECT, NONE },
	{ "other's key away", "example.com", "example.com", P_REJECT, "-", "", "?other.test", 0, false, FAIL, REJECT, REJECT },
	{ "one passes, one away", "example.com", "example.com", P_REJECT, "-", "?example.com", "example.com", 0, false, PASS, REJECT, NONE },
	/* pct and t, 6.6.4 */
	{ "pct: inside", "example.com", "example.com", P_REJECT "; pct=50", "-", "", "", 49, false, FAIL, REJECT, REJECT },
	{ "pct: outside", "example.com", "example.com", P_REJECT "; pct=50", "-", "", "", 50, false, FAIL, REJECT, QUARANTINE },
	{ "pct 0 of quarantine", "example.com", "example.com", "v=DMARC1; p=quarantine; pct=0", "-", "", "", 0, false, FAIL, QUARANTINE, NONE },
	{ "test mode", "example.com", "example.com", P_REJECT "; t=y", "-", "", "", 0, false, FAIL, REJECT, QUARANTINE },
};
/* clang-format on */

static void fill_answer(struct pw_dns_answer *out, struct pw_dns_record *records,
                        const char *text)
{
	struct pw_str rest = pw_str_from(text);

	*out = (struct pw_dns_answer){ .records = records };
	if (strcmp(text, "-") == 0)
		out->rcode = PW_DNS_NXDOMAIN;
	else if (strcmp(text, "!") == 0)
		out->rcode = PW_DNS_SERVFAIL;
	else
		while (rest.len > 0)
			records[out->count++].text = pw_str_cut(&rest, '|');
}

static void add_identity(struct pw_dmarc_identity *ids, size_t *count, const char *text,
                         bool is_dkim)
{
	struct pw_str domain = pw_str_from(text[0] == '?' ? text + 1 : text);
	size_t dot = pw_str_find(domain, '.');

	if (domain.len == 0)
		return;
	ids[*count] = (struct pw_dmarc_identity){
		.domain = domain, .org = domain, .is_dkim = is_dkim, .is_temporary = text[0] == '?'
	};
	if (pw_str_find(pw_str_sub(domain, dot + 1, domain.len), '.') < domain.len - dot - 1)
		ids[*count].org = pw_str_sub(domain, dot + 1, domain.len);
	(*count)++;
}

static void check_decide(void **state)
{
	const struct decide_row *row = *state;
	struct pw_dns_record own_records[4] = { 0 }, org_records[4] = { 0 };
	struct pw_dns_answer own, org;
	struct pw_dmarc_identity ids[2] = { 0 };
	struct pw_dmarc_outcome out;
	size_t count = 0;

	fill_answer(&own, own_records, row->own_records);
	fill_answer(&org, org_records, row->org_records);
	add_identity(ids, &count, row->spf, false);
	add_identity(ids, &count, row->dkim, true);
	pw_dmarc_decide(&out, &(struct pw_dmarc_input){
		.from = pw_str_from(row->from),
		.org = pw_str_from(row->org),
		.from_answer = &own,
		.org_answer = &org,
		.is_nonexistent = row->is_nonexistent,
		.identities = ids,
		.identity_count = count,
		.sample = row->sample,
	});
	assert_int_equal(out.result, row->result);
	assert_int_equal(out.policy, row->policy);
	assert_int_equal(out.disposition, row->disposition);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(parse_rows) + PW_LEN(decide_rows) + 1] = {
		cmocka_unit_test(too_long_is_a_limit),
	};

	PW_TABLE_TESTS(tests, 1, parse_rows, check_parse);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(parse_rows), decide_rows, check_decide);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
