/* Our Authentication-Results as a whole: what is in it, and that nothing a stranger says
 * gets out of its place (reliability.md, input 24). */
#include "../table.h"

#include <string.h>

#include "mail/auth.h"

static struct pw_arc_chain no_chain, two_sets = { .count = 2 };

static void put(struct pw_buf *out, const struct pw_auth *auth, const char *author,
                const char *login)
{
	pw_auth_put_results(out, auth, PW_STR("mx.example.test"), pw_str_from(author),
	                    pw_str_from(login));
	assert_int_equal(pw_buf_status(out), PW_OK);
}

static void everything_in_its_place(void **state)
{
	static const struct pw_dkim_verdict dkim[] = {
		{ .result = PW_DKIM_PASS,
		  .reason = "",
		  .domain = PW_STR("a.test"),
		  .selector = PW_STR("s1"),
		  .algorithm = PW_STR("rsa-sha256"),
		  .identity = PW_STR("@news.a.test"),
		  .signature_start = PW_STR("AbCd/+12") },
		{ .result = PW_DKIM_PERMERROR,
		  .reason = "signature is not a tag list",
		  .domain = PW_STR(""),
		  .selector = PW_STR(""),
		  .algorithm = PW_STR(""),
		  .identity = PW_STR("@"),
		  .signature_start = PW_STR("") },
	};
	const struct pw_auth auth = {
		.has_spf = true,
		.spf = { .result = PW_SPF_PASS },
		.spf_identity = PW_STR("bounce@a.test"),
		.has_helo = true,
		.helo = { .result = PW_SPF_SOFTFAIL },
		.helo_name = PW_STR("mail.b.test"),
		.dkim = dkim,
		.dkim_count = 2,
		.arc = { PW_ARC_PASS, "", true, &two_sets },
		.dmarc = { .result = PW_DMARC_FAIL,
		           .policy = PW_DMARC_P_REJECT,
		           .disposition = PW_DMARC_P_QUARANTINE,
		           .reason = PW_DMARC_SAMPLED_OUT,
		           .has_record = true },
		.client = PW_STR("2001:db8::7"),
		.iprev = "pass",
	};
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	put(&out, &auth, "a.test", "");
	assert_string_equal(
		pw_buf_text(&out),
		"mx.example.test;\n\tspf=pass smtp.mailfrom=bounce@a.test;\n"
		"\tspf=softfail smtp.helo=mail.b.test;\n"
		"\tdkim=pass header.d=a.test header.i=@news.a.test header.s=s1\n"
		"\theader.a=rsa-sha256 header.b=\"AbCd/+12\";\n"
		"\tdkim=permerror reason=\"signature is not a tag list\";\n"
		"\tarc=pass policy.arc-sets=2 smtp.remote-ip=\"2001:db8::7\";\n"
		"\tdmarc=fail reason=\"sampled_out\" header.from=a.test "
	        "policy.dmarc=quarantine\n"
		"\tpolicy.published=reject;\n"
		"\tiprev=pass policy.iprev=\"2001:db8::7\"");
}

static void little_is_known(void **state)
{
	const struct pw_auth auth = { .is_spf_helo = true,
		                      .has_spf = true,
		                      .spf = { .result = PW_SPF_NONE },
		                      .spf_identity = PW_STR("mail.b.test"),
		                      .arc = { .reason = "", .chain = &no_chain } };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	put(&out, &auth, "a.test", "");
	assert_string_equal(pw_buf_text(&out),
	                    "mx.example.test;\n\tspf=none smtp.helo=mail.b.test;\n"
	                    "\tdkim=none;\n\tarc=none policy.arc-sets=0;\n"
	                    "\tdmarc=none header.from=a.test");
}

static void a_login_is_all_there_is(void **state)
{
	const struct pw_auth auth = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	put(&out, &auth, "a.test", "ann@a.test");
	assert_string_equal(pw_buf_text(&out),
	                    "mx.example.test;\n\tauth=pass smtp.auth=ann@a.test");
}

/* Line ends, quotes, comments and fields of a stranger's making stay inside of quotes. */
static void nothing_breaks_out(void **state)
{
	static const char *const evil[] = {
		"x\r\nX-Spam: No", "x\ny",           "x\0y",       "x\"; dkim=pass",
		"x; dkim=pass",    "x (comment) =a", "x\\\"; y=z", "x\x7f\x1b[0m",
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(evil); i++) {
		struct pw_str text = { evil[i], i == 2 ? 3 : strlen(evil[i]) };
		const struct pw_dkim_verdict dkim = { .result = PW_DKIM_PERMERROR,
			                              .reason = "",
			                              .domain = text,
			                              .selector = text,
			                              .algorithm = text,
			                              .identity = text,
			                              .signature_start = text };
		const struct pw_auth auth = { .has_spf = true,
			                      .spf_identity = text,
			                      .has_helo = true,
			                      .helo_name = text,
			                      .dkim = &dkim,
			                      .dkim_count = 1,
			                      .voucher = text,
			                      .arc = { .reason = "",
			                               .chain = &no_chain } };
		PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
		bool in_quotes = false;
		size_t results = 0;

		pw_auth_put_results(&out, &auth, PW_STR("mx.example.test"), text,
		                    PW_STR(""));
		assert_int_equal(pw_buf_status(&out), PW_OK);
		for (size_t at = 0; at < out.len; at++) {
			char c = out.at[at];

			if (in_quotes && c == '\\')
				at++;
			else if (c == '"')
				in_quotes = !in_quotes;
			else if (!in_quotes && c == ';')
				results++;
			assert_true((unsigned char)c >= ' ' || c == '\n' || c == '\t');
			assert_true(c != '\x7f');
			assert_true(c != '\n' || (!in_quotes && out.at[at + 1] == '\t'));
		}
		assert_false(in_quotes);
		assert_int_equal(results, 5); /* spf, spf, dkim, arc, dmarc */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_in_its_place),
		cmocka_unit_test(little_is_known),
		cmocka_unit_test(a_login_is_all_there_is),
		cmocka_unit_test(nothing_breaks_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
