/* What reports about DMARC are made from (RFC 7489 7.2): nothing of it is lost. */
#include "../table.h"

#include <string.h>

#include "score/record_auth.h"

#define REJECT PW_DMARC_P_REJECT
#define QUARANTINE PW_DMARC_P_QUARANTINE
#define NONE PW_DMARC_P_NONE

struct row {
	const char *label;
	struct pw_dmarc_outcome dmarc;
	const char *voucher;
	bool is_refused;
	const char *evaluated;
};

#define FAILED(POLICY, DISPOSITION, REASON)                                              \
	{                                                                                \
		.result = PW_DMARC_FAIL, .policy = POLICY, .disposition = DISPOSITION,   \
		.reason = PW_DMARC_##REASON                                              \
	}

/* clang-format off */
static struct row rows[] = {
	{ "passed", { .result = PW_DMARC_PASS, .policy = REJECT, .is_dkim_aligned = true }, "", false,
	  "{\"disposition\": \"none\", \"spf\": \"fail\", \"dkim\": \"pass\", \"asked\": \"reject\"}" },
	{ "refused", FAILED(REJECT, REJECT, AS_ASKED), "", true,
	  "{\"disposition\": \"reject\", \"spf\": \"fail\", \"dkim\": \"fail\", \"asked\": \"reject\"}" },
	{ "a rejection that our settings leave out", FAILED(REJECT, REJECT, AS_ASKED), "", false,
	  "{\"disposition\": \"none\", \"spf\": \"fail\", \"dkim\": \"fail\", \"asked\": \"reject\", "
	  "\"reason\": \"local_policy\"}" },
	{ "pct", FAILED(REJECT, QUARANTINE, SAMPLED_OUT), "", false,
	  "{\"disposition\": \"quarantine\", \"spf\": \"fail\", \"dkim\": \"fail\", \"asked\": \"reject\", "
	  "\"reason\": \"sampled_out\"}" },
	{ "an ARC sealer", FAILED(REJECT, NONE, TRUSTED_FORWARDER), "list.test", false,
	  "{\"disposition\": \"none\", \"spf\": \"fail\", \"dkim\": \"fail\", \"asked\": \"reject\", "
	  "\"reason\": \"trusted_forwarder\", \"comment\": \"list.test\"}" },
	{ "a row of mail.dmarc_overrides", FAILED(REJECT, QUARANTINE, LOCAL_POLICY), "", false,
	  "{\"disposition\": \"quarantine\", \"spf\": \"fail\", \"dkim\": \"fail\", \"asked\": \"reject\", "
	  "\"reason\": \"local_policy\"}" },
};
/* clang-format on */

static void check(void **state)
{
	const struct row *row = *state;
	static struct pw_message message;
	static struct pw_verdict verdict;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf wanted = { 0 };

	message = (struct pw_message){ .has_from = true };
	message.from = (struct pw_mailbox){ PW_STR("ann"), PW_STR("a.test") };
	verdict = (struct pw_verdict){ .message = &message, .has_auth = true };
	verdict.auth.dmarc = row->dmarc;
	verdict.auth.dmarc.has_record = true;
	verdict.auth.dmarc.domain = PW_STR("test");
	verdict.auth.dmarc.record = (struct pw_dmarc_record){
		.p = REJECT,
		.sp = NONE,
		.np = QUARANTINE,
		.is_spf_strict = true,
		.pct = 50,
		.failure_options = PW_DMARC_FO_ANY | PW_DMARC_FO_SPF,
		.rua = PW_STR("mailto:r@test"),
	};
	verdict.auth.voucher = pw_str_from(row->voucher);
	record_put_auth(&out, &(struct record){ .verdict = &verdict,
	                                        .is_dmarc_refused = row->is_refused });
	pw_buf_printf(&wanted,
	              "{\"from\": \"a.test\", \"policy\": {\"domain\": \"test\", "
	              "\"p\": \"reject\", \"sp\": \"none\", \"np\": \"quarantine\", "
	              "\"adkim\": \"r\", \"aspf\": \"s\", \"pct\": 50, "
	              "\"fo\": \"1:s\", \"rua\": \"mailto:r@test\"}, "
	              "\"evaluated\": %s, \"spf\": [], \"dkim\": []}",
	              row->evaluated);
	assert_string_equal(pw_buf_text(&out), pw_buf_text(&wanted));
}

static void each_result_has_its_row(void **state)
{
	static struct pw_message message;
	static struct pw_verdict verdict = { .has_auth = true };
	static const struct pw_dkim_verdict dkim[] = {
		{ .result = PW_DKIM_PASS,
		  .reason = "",
		  .domain = PW_STR("a.test"),
		  .selector = PW_STR("s"),
		  .algorithm = PW_STR("rsa-sha256") },
		{ .result = PW_DKIM_FAIL,
		  .reason = "body hash mismatch",
		  .domain = PW_STR("x\"y"),
		  .selector = PW_STR("t"),
		  .algorithm = PW_STR("ed25519-sha256") },
	};
	static struct pw_arc_chain chain = { .count = 2 };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	chain.sets[0].domain = PW_STR("one.test");
	chain.sets[1].domain = PW_STR("two.test");
	verdict.message = &message;
	verdict.auth = (struct pw_auth){
		.has_spf = true,
		.spf = { .result = PW_SPF_FAIL, .domain = PW_STR("b.test") },
		.has_helo = true,
		.helo = { .result = PW_SPF_PASS, .domain = PW_STR("mail.b.test") },
		.dkim = dkim,
		.dkim_count = 2,
		.arc = { PW_ARC_FAIL, "seal mismatch", false, &chain },
	};
	record_put_auth(&out, &(struct record){ .verdict = &verdict });
	assert_string_equal(
		pw_buf_text(&out),
		"{\"spf\": [{\"domain\": \"b.test\", \"scope\": \"mfrom\", \"result\": "
		"\"fail\"}, {\"domain\": \"mail.b.test\", \"scope\": \"helo\", "
		"\"result\": \"pass\"}], \"dkim\": [{\"domain\": \"a.test\", "
		"\"selector\": \"s\", \"result\": \"pass\", \"algorithm\": "
		"\"rsa-sha256\"}, {\"domain\": \"x\\\"y\", \"selector\": \"t\", "
		"\"result\": \"fail\", \"algorithm\": \"ed25519-sha256\", "
		"\"human_result\": \"body hash mismatch\"}], \"arc\": {\"result\": "
		"\"fail\", \"sealers\": [\"one.test\", \"two.test\"]}}");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		cmocka_unit_test(each_result_has_its_row),
	};

	PW_TABLE_TESTS(tests, 1, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
