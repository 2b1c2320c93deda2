#include "../table.h"

#include <string.h>

#include "score/answer.h"
#include "score/record.h"
#include "score/settings.h"

/* Verdicts made by hand, answers printed: one line an edit. */
struct row {
	const char *label;
	int32_t score_milli;
	enum pw_action action;
	enum pw_dmarc_policy disposition; /* of a DMARC that failed; none: it did not */
	unsigned dmarc_reject;
	const char *login;
	const char *printed;
};

#define RESULTS(dmarc)                                                                   \
	"+Authentication-Results: mx.test;\n\tdkim=none;\n\tdmarc=" dmarc                \
	" header.from=a.test policy.dmarc="
#define FAILED RESULTS("fail") "reject policy.published=reject\n"
#define PASSED RESULTS("pass") "none"
#define FORGED "-Authentication-Results 2\n-X-Spam 1\n"

/* clang-format off */
static struct row rows[] = {
	{ "ham", -500, PW_ACTION_NONE, PW_DMARC_P_NONE, DMARC_REJECT, "",
	  "accept\n" FORGED PASSED "\n+X-Spam-Score: -0.500\n"
	  "+X-Spam-Status: No, score=-0.500 required=6.000\n\ttests=[]\n" },
	{ "spam", 7000, PW_ACTION_ADD_HEADER, PW_DMARC_P_NONE, DMARC_REJECT, "",
	  "accept\n" FORGED PASSED "\n+X-Spam: Yes\n+X-Spam-Score: 7.000\n"
	  "+X-Spam-Status: Yes, score=7.000 required=6.000\n\ttests=[]\n" },
	{ "rejected", 20000, PW_ACTION_REJECT, PW_DMARC_P_NONE, DMARC_REJECT, "",
	  "reject Rejected: this message looks like spam\n" },
	{ "DMARC rejects", 0, PW_ACTION_NONE, PW_DMARC_P_REJECT, DMARC_REJECT, "",
	  "dmarc reject Rejected: the DMARC policy of a.test does not allow mail like this\n" },
	{ "DMARC rejects before the score", 20000, PW_ACTION_REJECT, PW_DMARC_P_REJECT,
	  DMARC_REJECT, "",
	  "dmarc reject Rejected: the DMARC policy of a.test does not allow mail like this\n" },
	{ "DMARC is dry", 0, PW_ACTION_NONE, PW_DMARC_P_REJECT, DMARC_REJECT_DRY_RUN, "",
	  "accept dry\n" FORGED FAILED "+X-Spam-Score: 0.000\n"
	  "+X-Spam-Status: No, score=0.000 required=6.000\n\ttests=[]\n" },
	{ "DMARC only scores", 0, PW_ACTION_NONE, PW_DMARC_P_REJECT, DMARC_REJECT_SCORE, "",
	  "accept\n" FORGED FAILED "+X-Spam-Score: 0.000\n"
	  "+X-Spam-Status: No, score=0.000 required=6.000\n\ttests=[]\n" },
	{ "submission gets no fields", 0, PW_ACTION_NONE, PW_DMARC_P_NONE, DMARC_REJECT,
	  "ann@a.test", "accept\n" FORGED },
	{ "submission is rejected too", 20000, PW_ACTION_REJECT, PW_DMARC_P_NONE, DMARC_REJECT,
	  "ann@a.test", "reject Rejected: this message looks like spam\n" },
};
/* clang-format on */

static void print(struct pw_buf *out, const struct answer *answer)
{
	static const char *const kinds[] = { "accept", "reject", "dmarc reject" };

	pw_buf_printf(out, "%s%s", kinds[answer->kind],
	              answer->dmarc_dry_run ? " dry" : "");
	if (answer->text.len > 0)
		pw_buf_printf(out, " %s", pw_buf_text(&answer->text));
	pw_buf_putc(out, '\n');
	for (size_t i = 0; i < answer->edit_count; i++) {
		const struct kit_edit *e = &answer->edits[i];

		if (e->kind == KIT_DELETE)
			pw_buf_printf(out, "-%s %d\n", e->name, e->index);
		else
			pw_buf_printf(out, "+%s: %s\n", e->name, e->value);
	}
}

static void look(struct forged *forged, const char *name, const char *value)
{
	assert_int_equal(forged_look(forged, pw_str_from(name), pw_str_from(value),
	                             PW_STR("mx.test")),
	                 PW_OK);
}

static void set_up(struct pw_arena **arena, struct pw_message *message,
                   struct pw_verdict *verdict)
{
	assert_int_equal(pw_arena_new(arena, 0), PW_OK);
	*message = (struct pw_message){ .has_from = true };
	message->from = (struct pw_mailbox){ PW_STR("ann"), PW_STR("a.test") };
	memset(verdict, 0, sizeof(*verdict));
	verdict->message = message;
	verdict->has_auth = true;
	verdict->plan.required_milli = 6000;
	verdict->auth.dmarc.result = PW_DMARC_PASS;
	verdict->auth.dmarc.domain = PW_STR("a.test");
	verdict->auth.dmarc.has_record = true;
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(answer_done) struct answer answer = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf printed = { 0 };
	static struct pw_message message;
	static struct pw_verdict verdict;
	struct forged forged = { 0 };

	set_up(&arena, &message, &verdict);
	verdict.plan.score_milli = row->score_milli;
	verdict.plan.action = row->action;
	if (row->disposition != PW_DMARC_P_NONE) {
		verdict.auth.dmarc.result = PW_DMARC_FAIL;
		verdict.auth.dmarc.policy = verdict.auth.dmarc.disposition =
			row->disposition;
	}
	forged.arena = arena;
	look(&forged, "Authentication-Results", " other.test; none");
	look(&forged, "AUTHENTICATION-results", " MX.test; none");
	look(&forged, "X-Spam-Report", " x");
	look(&forged, "x-spam", " No");
	assert_int_equal(answer_decide(&answer, arena,
	                               &(struct answer_input){
					       .verdict = &verdict,
					       .forged = &forged,
					       .authserv_id = PW_STR("mx.test"),
					       .login = pw_str_from(row->login),
					       .dmarc_reject = row->dmarc_reject,
				       }),
	                 PW_OK);
	print(&printed, &answer);
	assert_string_equal(pw_buf_text(&printed), row->printed);
}

static void a_voucher_overrules_dmarc(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(answer_done) struct answer answer = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf printed = { 0 };
	static struct pw_message message;
	static struct pw_verdict verdict;
	static struct pw_arc_chain chain = { .count = 2 };
	struct forged forged = { 0 };

	(void)state;
	set_up(&arena, &message, &verdict);
	verdict.auth.dmarc.result = PW_DMARC_FAIL;
	verdict.auth.dmarc.policy = verdict.auth.dmarc.disposition = PW_DMARC_P_REJECT;
	verdict.auth.arc = (struct pw_arc_verdict){ PW_ARC_PASS, "", true, &chain };
	verdict.auth.voucher = PW_STR("list.test");
	pw_dmarc_override(&verdict.auth.dmarc, PW_DMARC_P_NONE,
	                  PW_DMARC_TRUSTED_FORWARDER);
	forged.arena = arena;
	assert_int_equal(answer_decide(&answer, arena,
	                               &(struct answer_input){
					       .verdict = &verdict,
					       .forged = &forged,
					       .authserv_id = PW_STR("mx.test"),
					       .login = PW_STR(""),
					       .dmarc_reject = DMARC_REJECT,
				       }),
	                 PW_OK);
	print(&printed, &answer);
	assert_string_equal(
		pw_buf_text(&printed),
		"accept\n+Authentication-Results: mx.test;\n"
		"\tdkim=none;\n\tarc=pass policy.arc-sets=2;\n"
		"\tdmarc=fail reason=\"trusted_forwarder\" header.from=a.test "
		"policy.dmarc=none\n"
		"\tpolicy.published=reject policy.arc-sealer=list.test\n"
		"+X-Spam-Score: 0.000\n+X-Spam-Status: No, score=0.000 "
		"required=6.000\n\ttests=[]\n");
}

static void forgeries_go_unjudged_too(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf printed = { 0 };
	struct answer answer;
	struct forged forged = { 0 };

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	forged.arena = arena;
	look(&forged, "Authentication-Results", " mx.test; arc=pass");
	look(&forged, "X-Spam", " No");
	assert_int_equal(answer_unjudged(&answer, arena, &forged), PW_OK);
	print(&printed, &answer);
	assert_string_equal(pw_buf_text(&printed),
	                    "accept\n-Authentication-Results 1\n-X-Spam 1\n");
	forged.is_cut = true;
	assert_int_equal(answer_unjudged(&answer, arena, &forged), PW_ERR_NOMEM);
}

static void every_forgery_is_noted(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct forged forged = { 0 };

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	forged.arena = arena;
	for (int i = 0; i < 3000; i++)
		look(&forged, "Authentication-Results",
		     i % 3 == 0 ? " b.test; none" : " mx.test");
	assert_int_equal(forged.count, 2000);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(forged.fields[i].index, i / 2 * 3 + 2 + i % 2);
}

/* Whatever a stranger writes is one JSON text. */
static void a_row_of_the_history(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	static struct pw_message message;
	static struct pw_verdict verdict;
	struct pw_mailbox rcpt[] = { { PW_STR("bob"), PW_STR("b.test") },
		                     { PW_STR("x y"), PW_STR("b.test") } };
	struct pw_envelope e = { .recipients = rcpt, .recipient_count = 2 };
	struct pw_field fields[] = { { PW_STR("From"), PW_STR(""),
		                       PW_STR("a \"b\" \\ \001\xff") } };

	(void)state;
	set_up(&arena, &message, &verdict);
	message.fields = fields;
	message.field_count = 1;
	message.size_bytes = 1234;
	message.subject = PW_STR("'; DROP TABLE mail.messages; --");
	e.origin.helo = PW_STR("h");
	assert_int_equal(pw_ip_parse(&e.origin.address, PW_STR("192.0.2.7")), PW_OK);
	verdict.auth.has_spf = true;
	verdict.auth.dmarc.has_record = false;
	verdict.plan.score_milli = 2000;
	verdict.plan.lines[0] = (struct pw_score_line){ .name = PW_STR("X"),
		                                        .evidence = PW_STR("e"),
		                                        .score_milli = 2500 };
	verdict.plan.lines[1] = (struct pw_score_line){ .name = PW_STR("text"),
		                                        .score_milli = -500,
		                                        .is_cap = true };
	verdict.plan.count = 2;
	record_put(&out, &(struct record){ .queue_id = PW_STR("4f"),
	                                   .host = PW_STR("mx"),
	                                   .action = PW_STR("none"),
	                                   .envelope = &e,
	                                   .verdict = &verdict,
	                                   .at_ms = 1795249800123 });
	assert_string_equal(
		pw_buf_text(&out),
		"{\"queue_id\": \"4f\", \"host\": \"mx\", \"at\": 1795249800.123, "
		"\"client_address\": \"192.0.2.7\", \"client_name\": \"\", \"helo\": "
		"\"h\", "
		"\"sender\": \"\", \"recipients\": [\"bob@b.test\", \"\\\"x "
		"y\\\"@b.test\"], "
		"\"from\": \"a \\\"b\\\" \\\\ \\u0001\xef\xbf\xbd\", "
		"\"subject\": \"'; DROP TABLE mail.messages; --\", \"size\": 1234, "
		"\"spf\": \"none\", \"dkim\": \"none\", \"dmarc\": \"pass\", \"arc\": "
	        "\"none\", "
		"\"auth\": {\"from\": \"a.test\", \"spf\": [{\"domain\": \"\", "
	        "\"scope\": \"mfrom\", "
		"\"result\": \"none\"}], \"dkim\": []}, \"score\": 2.000, "
		"\"action\": \"none\", \"symbols\": [{\"name\": \"X\", \"score\": 2.500, "
		"\"evidence\": \"e\"}, {\"name\": \"text\", \"score\": -0.500, "
		"\"evidence\": \"most points of the group\"}]}");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 4] = {
		cmocka_unit_test(a_voucher_overrules_dmarc),
		cmocka_unit_test(forgeries_go_unjudged_too),
		cmocka_unit_test(every_forgery_is_noted),
		cmocka_unit_test(a_row_of_the_history),
	};

	PW_TABLE_TESTS(tests, 4, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
