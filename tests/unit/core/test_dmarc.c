#include "../table.h"

#include <string.h>

#include "core/dmarc.h"

#define NONE PW_DMARC_P_NONE
#define QUARANTINE PW_DMARC_P_QUARANTINE
#define REJECT PW_DMARC_P_REJECT

#define RECORD(P, SP, NP, DKIM_STRICT, SPF_STRICT, TEST, PCT)                            \
	{                                                                                \
		.p = P, .sp = SP, .np = NP, .is_dkim_strict = DKIM_STRICT,               \
		.is_spf_strict = SPF_STRICT, .is_test = TEST, .pct = PCT                 \
	}

struct parse_row {
	const char *label, *text;
	enum pw_status status;
	struct pw_dmarc_record record;
};

/* clang-format off */
static struct parse_row parse_rows[] = {
	/* RFC 7489 appendix B.2 */
	{ "B.2.1", "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com", PW_OK,
	  RECORD(NONE, NONE, NONE, false, false, false, 100) },
	{ "B.2.4", "v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,"
	  "mailto:tld-test@thirdparty.example.net!10m; pct=25", PW_OK,
	  RECORD(QUARANTINE, QUARANTINE, QUARANTINE, false, false, false, 25) },
	{ "sp and np", "v=DMARC1; p=none; sp=reject; np=quarantine", PW_OK,
	  RECORD(NONE, REJECT, QUARANTINE, false, false, false, 100) },
	{ "np without sp", "v=DMARC1; p=none; np=reject", PW_OK,
	  RECORD(NONE, NONE, REJECT, false, false, false, 100) },
	{ "strict", "v=DMARC1;p=reject;adkim=s;aspf=s", PW_OK,
	  RECORD(REJECT, REJECT, REJECT, true, true, false, 100) },
	{ "test mode", "v=DMARC1; p=reject; t=y", PW_OK,
	  RECORD(REJECT, REJECT, REJECT, false, false, true, 100) },
	/* ugly */
	{ "blanks and case", " v = DMARC1 ; P = Reject ;", PW_OK,
	  RECORD(REJECT, REJECT, REJECT, false, false, false, 100) },
	{ "unknown tags and junk", "v=DMARC1; p=reject; x; y=z; =; fo=1", PW_OK,
	  RECORD(REJECT, REJECT, REJECT, false, false, false, 100) },
	{ "p last", "v=DMARC1; sp=none; p=reject", PW_OK,
	  RECORD(REJECT, NONE, NONE, false, false, false, 100) },
	{ "first of two p", "v=DMARC1; p=none; p=reject", PW_OK,
	  RECORD(NONE, NONE, NONE, false, false, false, 100) },
	{ "pct 0", "v=DMARC1; p=reject; pct=0", PW_OK,
	  RECORD(REJECT, REJECT, REJECT, false, false, false, 0) },
	{ "pct 101", "v=DMARC1; p=reject; pct=101", PW_OK,
	  RECORD(REJECT, REJECT, REJECT, false, false, false, 100) },
	{ "pct -1", "v=DMARC1; p=reject; pct=-1", PW_OK,
	  RECORD(REJECT, REJECT, REJECT, false, false, false, 100) },
	{ "no p", "v=DMARC1; sp=reject", PW_ERR_SYNTAX, { 0 } },
	{ "bad p", "v=DMARC1; p=rejec", PW_ERR_SYNTAX, { 0 } },
	{ "no p, but somebody reads reports", "v=DMARC1; rua=mailto:a@b.test", PW_OK,
	  RECORD(NONE, NONE, NONE, false, false, false, 100) },
	{ "bad sp, reports", "v=DMARC1; p=reject; sp=x; rua=mailto:a@b.test", PW_OK,
	  RECORD(NONE, NONE, NONE, false, false, false, 100) },
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

struct report_row {
	const char *label, *tags;
	unsigned failure_options;
	char psd;
	const char *rua; /* URIs, each with its size, parted by blanks */
};

/* clang-format off */
static struct report_row report_rows[] = {
	{ "nothing said", "", PW_DMARC_FO_ALL, 'u', "" },
	{ "B.2.4", "rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net!10m; fo=d:s",
	  PW_DMARC_FO_DKIM | PW_DMARC_FO_SPF, 'u',
	  "mailto:dmarc-feedback@example.com 0 mailto:tld-test@thirdparty.example.net 10485760 " },
	{ "fo with blanks", "fo = 1 : D", PW_DMARC_FO_ANY | PW_DMARC_FO_DKIM, 'u', "" },
	{ "fo unknown", "fo=2:x:", PW_DMARC_FO_ALL, 'u', "" },
	{ "psd", "psd=Y;;", PW_DMARC_FO_ALL, 'y', "" },
	{ "psd unknown", "psd=maybe", PW_DMARC_FO_ALL, 'u', "" },
	{ "sizes", "rua=mailto:a@b.test!1,mailto:a@b.test!2K, https://b.test/x!3g ,mailto:a@b.test!4t",
	  PW_DMARC_FO_ALL, 'u', "mailto:a@b.test 1 mailto:a@b.test 2048 https://b.test/x 3221225472 mailto:a@b.test 4398046511104 " },
	{ "sizes that are none", "rua=mailto:a@b.test!,mailto:a@b.test!k,mailto:a@b.test!-1,mailto:a@b.test!99999999999999999999,"
	  "mailto:a@b.test!9223372036854775807k,mailto:c@d.test", PW_DMARC_FO_ALL, 'u', "mailto:c@d.test 0 " },
	{ "other schemes", "rua=ftp://b.test,,:,mailto:c@d.test", PW_DMARC_FO_ALL, 'u', "mailto:c@d.test 0 " },
};
/* clang-format on */

static void check_report(void **state)
{
	const struct report_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf uris = { 0 };
	struct pw_dmarc_record record;
	struct pw_dmarc_uri uri;

	pw_buf_printf(&text, "v=DMARC1; p=none; %s", row->tags);
	assert_int_equal(pw_dmarc_parse(&record, pw_buf_str(&text)), PW_OK);
	assert_int_equal(record.failure_options, row->failure_options);
	assert_int_equal(record.psd, row->psd);
	while (pw_dmarc_next_uri(&record.rua, &uri))
		pw_buf_printf(&uris, "%.*s %lld ", PW_FMT(uri.uri),
		              (long long)uri.size_max);
	assert_string_equal(pw_buf_text(&uris), row->rua);
}

/* Nothing is done to what does not fail; what the domain asks for needs no reason. */
static void overrides_have_a_reason(void **state)
{
	struct pw_dmarc_outcome out = { .result = PW_DMARC_PASS };

	(void)state;
	pw_dmarc_override(&out, REJECT, PW_DMARC_LOCAL_POLICY);
	assert_int_equal(out.disposition, NONE);
	out = (struct pw_dmarc_outcome){ .result = PW_DMARC_FAIL,
		                         .policy = REJECT,
		                         .disposition = QUARANTINE,
		                         .reason = PW_DMARC_SAMPLED_OUT };
	pw_dmarc_override(&out, QUARANTINE, PW_DMARC_LOCAL_POLICY);
	assert_int_equal(out.reason, PW_DMARC_SAMPLED_OUT);
	pw_dmarc_override(&out, NONE, PW_DMARC_TRUSTED_FORWARDER);
	assert_int_equal(out.disposition, NONE);
	assert_string_equal(pw_dmarc_reason_text(out.reason), "trusted_forwarder");
	pw_dmarc_override(&out, REJECT, PW_DMARC_LOCAL_POLICY);
	assert_string_equal(pw_dmarc_reason_text(out.reason), "");
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

/* own, org: records of an answer parted by '|'; "-" NXDOMAIN, "!" SERVFAIL, "" no data.
 */
struct decide_row {
	const char *label, *from, *org, *own_records, *org_records;
	const char *spf,
		*dkim; /* domain that passed, "?" before it: DNS failed; "" none */
	uint8_t sample;
	bool is_nonexistent;
	enum pw_dmarc_result result;
	enum pw_dmarc_policy policy, disposition;
	enum pw_dmarc_reason reason;
};

#define P_REJECT "v=DMARC1; p=reject"
#define PASS PW_DMARC_PASS
#define FAIL PW_DMARC_FAIL
#define TEMP PW_DMARC_TEMPERROR

/* clang-format off */
static struct decide_row decide_rows[] = {
	/* RFC 7489 appendix B.1: identifier alignment */
	{ "B.1.1 SPF equal", "example.com", "example.com", P_REJECT, "-", "example.com", "", 0, false, PASS, REJECT, NONE, PW_DMARC_AS_ASKED },
	{ "B.1.1 SPF of a child", "example.com", "example.com", P_REJECT, "-", "child.example.com", "", 0, false, PASS, REJECT, NONE, PW_DMARC_AS_ASKED },
	{ "B.1.1 SPF unaligned", "example.com", "example.com", P_REJECT, "-", "sample.net", "", 0, false, FAIL, REJECT, REJECT, PW_DMARC_AS_ASKED },
	{ "B.1.2 DKIM parent", "child.example.com", "example.com", P_REJECT, "-", "", "example.com", 0, false, PASS, REJECT, NONE, PW_DMARC_AS_ASKED },
	{ "strict DKIM parent", "child.example.com", "example.com", P_REJECT ";adkim=s", "-", "", "example.com", 0, false, FAIL, REJECT, REJECT, PW_DMARC_AS_ASKED },
	{ "strict SPF is DKIM's not", "example.com", "example.com", P_REJECT ";aspf=s", "-", "", "a.example.com", 0, false, PASS, REJECT, NONE, PW_DMARC_AS_ASKED },
	{ "strict SPF", "example.com", "example.com", P_REJECT ";aspf=s", "-", "a.example.com", "", 0, false, FAIL, REJECT, REJECT, PW_DMARC_AS_ASKED },
	{ "case of names", "EXAMPLE.com", "example.COM", P_REJECT, "-", "Example.Com", "", 0, false, PASS, REJECT, NONE, PW_DMARC_AS_ASKED },
	/* policy discovery, 6.6.3 */
	{ "record of the organisation", "a.example.com", "example.com", "-", P_REJECT, "", "", 0, false, FAIL, REJECT, REJECT, PW_DMARC_AS_ASKED },
	{ "sp", "a.example.com", "example.com", "", P_REJECT "; sp=none", "", "", 0, false, FAIL, NONE, NONE, PW_DMARC_AS_ASKED },
	{ "np", "a.example.com", "example.com", "-", "v=DMARC1; p=none; np=reject", "", "", 0, true, FAIL, REJECT, REJECT, PW_DMARC_AS_ASKED },
	{ "own record wins", "a.example.com", "example.com", "v=DMARC1; p=none", P_REJECT, "", "", 0, false, FAIL, NONE, NONE, PW_DMARC_AS_ASKED },
	{ "no record", "example.com", "example.com", "-", "-", "", "", 0, false, PW_DMARC_NONE, NONE, NONE, PW_DMARC_AS_ASKED },
	{ "no author", "", "", P_REJECT, "-", "", "", 0, false, PW_DMARC_NONE, NONE, NONE, PW_DMARC_AS_ASKED },
	{ "two records", "example.com", "example.com", P_REJECT "|" P_REJECT, "-", "", "", 0, false, PW_DMARC_NONE, NONE, NONE, PW_DMARC_AS_ASKED },
	{ "two, the organisation is not asked", "a.example.com", "example.com", P_REJECT "|" P_REJECT, P_REJECT, "", "", 0, false, PW_DMARC_NONE, NONE, NONE, PW_DMARC_AS_ASKED },
	{ "other TXT beside it", "example.com", "example.com", "v=spf1 -all|" P_REJECT, "-", "", "", 0, false, FAIL, REJECT, REJECT, PW_DMARC_AS_ASKED },
	{ "broken record", "example.com", "example.com", "v=DMARC1; p=x", "-", "", "", 0, false, PW_DMARC_PERMERROR, NONE, NONE, PW_DMARC_AS_ASKED },
	/* DNS trouble never rejects */
	{ "own away", "example.com", "example.com", "!", "-", "", "", 0, false, TEMP, NONE, NONE, PW_DMARC_AS_ASKED },
	{ "organisation away", "a.example.com", "example.com", "-", "!", "", "", 0, false, TEMP, NONE, NONE, PW_DMARC_AS_ASKED },
	{ "organisation away, not needed", "a.example.com", "example.com", P_REJECT, "!", "", "", 0, false, FAIL, REJECT, REJECT, PW_DMARC_AS_ASKED },
	{ "aligned SPF away", "example.com", "example.com", P_REJECT, "-", "?example.com", "", 0, false, TEMP, REJECT, NONE, PW_DMARC_AS_ASKED },
	{ "aligned key away", "example.com", "example.com", P_REJECT, "-", "", "?example.com", 0, false, TEMP, REJECT, NONE, PW_DMARC_AS_ASKED },
	{ "other's key away", "example.com", "example.com", P_REJECT, "-", "", "?other.test", 0, false, FAIL, REJECT, REJECT, PW_DMARC_AS_ASKED },
	{ "one passes, one away", "example.com", "example.com", P_REJECT, "-", "?example.com", "example.com", 0, false, PASS, REJECT, NONE, PW_DMARC_AS_ASKED },
	/* pct and t, 6.6.4 */
	{ "pct: inside", "example.com", "example.com", P_REJECT "; pct=50", "-", "", "", 49, false, FAIL, REJECT, REJECT, PW_DMARC_AS_ASKED },
	{ "pct: outside", "example.com", "example.com", P_REJECT "; pct=50", "-", "", "", 50, false, FAIL, REJECT, QUARANTINE, PW_DMARC_SAMPLED_OUT },
	{ "pct 0 of quarantine", "example.com", "example.com", "v=DMARC1; p=quarantine; pct=0", "-", "", "", 0, false, FAIL, QUARANTINE, NONE, PW_DMARC_SAMPLED_OUT },
	{ "test mode", "example.com", "example.com", P_REJECT "; t=y", "-", "", "", 0, false, FAIL, REJECT, QUARANTINE, PW_DMARC_TEST_MODE },
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
	ids[*count] = (struct pw_dmarc_identity){ .domain = domain,
		                                  .org = domain,
		                                  .is_dkim = is_dkim,
		                                  .is_temporary = text[0] == '?' };
	if (pw_str_find(pw_str_sub(domain, dot + 1, domain.len), '.') <
	    domain.len - dot - 1)
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
	assert_int_equal(out.reason, row->reason);
	assert_int_equal(out.has_record, out.domain.len > 0);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(parse_rows) + PW_LEN(decide_rows) +
	                        PW_LEN(report_rows) + 2] = {
		cmocka_unit_test(too_long_is_a_limit),
		cmocka_unit_test(overrides_have_a_reason),
	};

	PW_TABLE_TESTS(tests, 2, parse_rows, check_parse);
	PW_TABLE_TESTS(tests, 2 + PW_LEN(parse_rows), decide_rows, check_decide);
	PW_TABLE_TESTS(tests, 2 + PW_LEN(parse_rows) + PW_LEN(decide_rows), report_rows,
	               check_report);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
