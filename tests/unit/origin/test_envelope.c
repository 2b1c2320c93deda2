#include "../table.h"

#include "origin/engine/envelope.h"
#include "origin/engine/smtp_reply.h"

#define ALL (OFFER_SIZE | OFFER_8BITMIME | OFFER_SMTPUTF8 | OFFER_DSN)

struct row {
	const char *label;
	bool is_rcpt;
	const char *argv[8];
	unsigned offers;
	int64_t size_max;
	enum envelope_verdict verdict;
	const char *line;
};

static struct row rows[] = {
	{ "plain", false, { "<a@b.example>" }, ALL, 0, ENVELOPE_OK, "MAIL FROM:<a@b.example>\r\n" },
	{ "null sender", false, { "<>" }, ALL, 0, ENVELOPE_OK, "MAIL FROM:<>\r\n" },
	{ "brackets added", false, { "a@b.example" }, ALL, 0, ENVELOPE_OK,
	  "MAIL FROM:<a@b.example>\r\n" },
	{ "everything offered", false,
	  { "<a@b>", "SIZE=100", "BODY=8BITMIME", "SMTPUTF8", "RET=HDRS", "ENVID=x" }, ALL, 0,
	  ENVELOPE_OK, "MAIL FROM:<a@b> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x\r\n" },
	{ "case does not matter", false, { "<a@b>", "size=1" }, ALL, 0, ENVELOPE_OK,
	  "MAIL FROM:<a@b> size=1\r\n" },
	{ "AUTH never", false, { "<a@b>", "AUTH=<>" }, ALL, 0, ENVELOPE_OK,
	  "MAIL FROM:<a@b>\r\n" },
	{ "unknown ones may matter", false, { "<a@b>", "REQUIRETLS" }, ALL, 0,
	  ENVELOPE_UNKNOWN, "" },
	{ "unknown to RCPT", true, { "<a@b>", "SIZE=1" }, ALL, 0, ENVELOPE_UNKNOWN, "" },
	{ "BINARYMIME is no 8BITMIME's", false, { "<a@b>", "BODY=BINARYMIME" }, OFFER_SIZE, 0,
	  ENVELOPE_NO_8BIT, "" },
	{ "SIZE at the limit", false, { "<a@b>", "SIZE=1000" }, ALL, 1000, ENVELOPE_OK,
	  "MAIL FROM:<a@b> SIZE=1000\r\n" },
	{ "SIZE over the limit", false, { "<a@b>", "size=1001" }, ALL, 1000,
	  ENVELOPE_TOO_LONG, "" },
	{ "SIZE over every number", false, { "<a@b>", "SIZE=99999999999999999999" }, ALL, 1000,
	  ENVELOPE_TOO_LONG, "" },
	{ "SIZE without a limit", false, { "<a@b>", "SIZE=1001" }, ALL, 0, ENVELOPE_OK,
	  "MAIL FROM:<a@b> SIZE=1001\r\n" },
	{ "harmless ones left out", false, { "<a@b>", "SIZE=100", "RET=FULL", "ENVID=x" }, 0, 0,
	  ENVELOPE_OK, "MAIL FROM:<a@b>\r\n" },
	{ "7BIT left out", false, { "<a@b>", "BODY=7BIT" }, 0, 0, ENVELOPE_OK,
	  "MAIL FROM:<a@b>\r\n" },
	{ "8BITMIME not offered", false, { "<a@b>", "BODY=8BITMIME" }, OFFER_SIZE, 0,
	  ENVELOPE_NO_8BIT, "" },
	{ "SMTPUTF8 not offered", false, { "<\xc3\xbc@b>", "SMTPUTF8" }, OFFER_8BITMIME, 0,
	  ENVELOPE_NO_UTF8, "" },
	{ "UTF-8 address", false, { "<\xc3\xbc@b>", "SMTPUTF8" }, ALL, 0, ENVELOPE_OK,
	  "MAIL FROM:<\xc3\xbc@b> SMTPUTF8\r\n" },
	{ "line end in the address", false, { "<a@b>\r\nRCPT TO:<c@d>" }, ALL, 0, ENVELOPE_BAD, "" },
	{ "line end in a parameter", false, { "<a@b>", "ENVID=x\r\nDATA" }, ALL, 0, ENVELOPE_BAD,
	  "" },
	{ "no address", false, { NULL }, ALL, 0, ENVELOPE_BAD, "" },
	{ "recipient", true, { "<a@b>", "NOTIFY=NEVER", "ORCPT=rfc822;a@b" }, ALL, 0, ENVELOPE_OK,
	  "RCPT TO:<a@b> NOTIFY=NEVER ORCPT=rfc822;a@b\r\n" },
	{ "ORCPT without DSN", true, { "<a@b>", "ORCPT=rfc822;a@b" }, 0, 0, ENVELOPE_OK,
	  "RCPT TO:<a@b>\r\n" },
	{ "failures are reported without DSN", true, { "<a@b>", "NOTIFY=delay,FAILURE" }, 0, 0,
	  ENVELOPE_OK, "RCPT TO:<a@b>\r\n" },
	{ "success is not", true, { "<a@b>", "NOTIFY=SUCCESS,FAILURE" }, 0, 0,
	  ENVELOPE_NO_REPORT, "" },
	{ "nor nothing", true, { "<a@b>", "NOTIFY=NEVER" }, 0, 0, ENVELOPE_NO_REPORT, "" },
	{ "nor delays alone", true, { "<a@b>", "NOTIFY=DELAY" }, 0, 0, ENVELOPE_NO_REPORT, "" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	char *argv[PW_LEN(row->argv)]; /* not const, as libmilter has them */
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	struct upstream_offers offers = { row->offers, row->size_max };

	for (size_t i = 0; i < PW_LEN(argv); i++)
		argv[i] = (char *)(uintptr_t)row->argv[i];
	assert_int_equal(row->is_rcpt ? envelope_rcpt(&out, argv, &offers)
	                              : envelope_mail(&out, argv, &offers),
	                 row->verdict);
	assert_string_equal(pw_buf_text(&out), row->line);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
