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
		must(parsed.pct <= 100 && parsed.p <= PW_DMARC_P_REJECT &&
		     parsed.sp <= PW_DMARC_P_REJECT && parsed.np <= PW_DMARC_P_REJECT);
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
