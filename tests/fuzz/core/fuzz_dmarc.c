/* Property: a record that parses has values of their ranges, and neither it nor trouble
 * with DNS can make an aligned message fail. */
#include <stdlib.h>

#include "core/dmarc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* Each lies inside of the record and has a scheme that reports can go to. */
static void check_uris(struct pw_str rest)
{
	struct pw_str all = rest;
	struct pw_dmarc_uri uri;

	while (pw_dmarc_next_uri(&rest, &uri)) {
		must(uri.uri.at >= all.at &&
		     uri.uri.at + uri.uri.len <= all.at + all.len);
		must(uri.size_max >= 0);
		must(pw_str_starts_nocase(uri.uri, PW_STR("mailto:")) ||
		     pw_str_starts_nocase(uri.uri, PW_STR("https:")));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str input = { (const char *)data, size };
	struct pw_dns_record record = { .text = input };
	struct pw_dns_answer answer = { .records = &record, .count = 1 };
	struct pw_dmarc_identity id = { .domain = PW_STR("example.org"),
		                        .org = PW_STR("example.org"),
		                        .is_dkim = true };
	struct pw_dmarc_input in = { .from = PW_STR("example.org"),
		                     .org = PW_STR("example.org"),
		                     .from_answer = &answer,
		                     .identities = &id,
		                     .identity_count = 1 };
	struct pw_dmarc_record parsed;
	struct pw_dmarc_outcome out;
	bool is_record = pw_dmarc_parse(&parsed, input) == PW_OK;

	if (is_record)
		check_uris(parsed.rua);
	if (is_record)
		must(parsed.pct <= 100 && parsed.p <= PW_DMARC_P_REJECT &&
		     parsed.sp <= PW_DMARC_P_REJECT && parsed.np <= PW_DMARC_P_REJECT);
	must(!is_record || (parsed.failure_options > 0 && parsed.failure_options < 16));
	pw_dmarc_decide(&out, &in);
	must((out.result == PW_DMARC_PASS) == is_record);
	must(out.disposition == PW_DMARC_P_NONE);
	in.identity_count = 0;
	pw_dmarc_decide(&out, &in);
	must((out.result == PW_DMARC_FAIL) == is_record && out.disposition <= out.policy);
	answer.rcode = PW_DNS_TIMEOUT;
	pw_dmarc_decide(&out, &in);
	must(out.result == PW_DMARC_TEMPERROR && out.disposition == PW_DMARC_P_NONE);
	return 0;
}
