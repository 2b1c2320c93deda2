#include "../table.h"

#include "origin/engine/envelope.h"
#include "origin/engine/smtp_reply.h"

#define ALL (OFFER_SIZE | OFFER_8BITMIME | OFFER_SMTPUTF8 | OFFER_DSN)

struct row {
	const char *label;
	bool is_rcpt;
	const char *argv[8];
	unsigned offers;
	enum envelope_verdict verdict;
	const char *line;
};

static struct row rows[] = {
	{ "plain", false, { "<a@b.example>" }, ALL, ENVELOPE_OK, "MAIL FROM:<a@b.example>\r\n" },
	{ "null sender", false, { "<>" }, ALL, ENVELOPE_OK, "MAIL FROM:<>\r\n" },
	{ "brackets added", false, { "a@b.example" }, ALL, ENVELOPE_OK,
	  "MAIL FROM:<a@b.example>\r\n" },
	{ "everything offered", false,
	  { "<a@b>", "SIZE=100", "BODY=8BITMIME", "SMTPUTF8", "RET=HDRS", "ENVID=x" }, ALL,
	  ENVELOPE_OK, "MAIL FROM:<a@b> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x\r\n" },
	{ "case does not matter", false, { "<a@b>", "size=1" }, ALL, ENVELOPE_OK,
	  "MAIL FROM:<a@b> size=1\r\n" },
	{ "AUTH never", false, { "<a@b>", "AUTH=<>" }, ALL, ENVELOPE_OK,
	  "MAIL FROM:<a@b>\r\n" },
	{ "unknown never", false, { "<a@b>", "MT-PRIORITY=3" }, ALL, ENVELOPE_OK,
	  "MAIL FROM:<a@b>\r\n" },
	{ "harmless ones left out", false, { "<a@b>", "SIZE=100", "RET=FULL", "ENVID=x" }, 0,
	  ENVELOPE_OK, "MAIL FROM:<a@b>\r\n" },
	{ "7BIT left out", false, { "<a@b>", "BODY=7BIT" }, 0, ENVELOPE_OK,
	  "MAIL FROM:<a@b>\r\n" },
	{ "8BITMIME not offered", false, { "<a@b>", "BODY=8BITMIME" }, OFFER_SIZE,
	  ENVELOPE_NO_8BIT, "" },
	{ "SMTPUTF8 not offered", false, { "<\xc3\xbc@b>", "SMTPUTF8" }, OFFER_8BITMIME,
	  ENVELOPE_NO_UTF8, "" },
	{ "UTF-8 address", false, { "<\xc3\xbc@b>", "SMTPUTF8" }, ALL, ENVELOPE_OK,
	  "MAIL FROM:<\xc3\xbc@b> SMTPUTF8\r\n" },
	{ "line end in the address", false, { "<a@b>\r\nRCPT TO:<c@d>" }, ALL, ENVELOPE_BAD, "" },
	{ "line end in a parameter", false, { "<a@b>", "ENVID=x\r\nDATA" }, ALL, ENVELOPE_BAD,
	  "" },
	{ "no address", false, { NULL }, ALL, ENVELOPE_BAD, "" },
	{ "recipient", true, { "<a@b>", "NOTIFY=NEVER", "ORCPT=rfc822;a@b" }, ALL, ENVELOPE_OK,
	  "RCPT TO:<a@b> NOTIFY=NEVER ORCPT=rfc822;a@b\r\n" },
	{ "recipient without DSN", true, { "<a@b>", "NOTIFY=NEVER" }, 0, ENVELOPE_OK,
	  "RCPT TO:<a@b>\r\n" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	char *argv[PW_LEN(row->argv)]; /* not const, as libmilter has them */
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	for (size_t i = 0; i < PW_LEN(argv); i++)
		argv[i] = (char *)(uintptr_t)row->argv[i];
	assert_int_equal(row->is_rcpt ? envelope_rcpt(&out, argv, row->offers)
	                              : envelope_mail(&out, argv, row->offers),
	                 row->verdict);
	assert_string_equal(pw_buf_text(&out), row->line);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
