#include "../table.h"

#include "policyd/lmtp.h"

#define RECIPIENT "ann@example.test"

struct row {
	const char *label;
	const char *server; /* its lines */
	const char *client; /* all that we say */
	enum lmtp_result result;
};

#define HELLO "LHLO localhost\r\n"
#define TO_RCPT HELLO "MAIL FROM:<>\r\nRCPT TO:<" RECIPIENT ">\r\n"
#define TO_DATA TO_RCPT "DATA\r\n"
#define TEXT "Subject: x\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n"
#define GOOD "220 hi\r\n250-hi\r\n250-PIPELINING\r\n250 X\r\n250 2.1.0 OK\r\n250 OK\r\n"

static struct row rows[] = {
	{ "delivered", GOOD "354 go\r\n250 2.0.0 saved\r\n", TO_DATA TEXT "QUIT\r\n",
	  LMTP_DELIVERED },
	{ "bare codes", "220\n250\n250\n250\n354\n250\n", TO_DATA TEXT "QUIT\r\n",
	  LMTP_DELIVERED },
	{ "busy", "421 too many\r\n", "", LMTP_LATER },
	{ "unknown user", "220 hi\r\n250 hi\r\n250 ok\r\n550 5.1.1 no\r\n", TO_RCPT,
	  LMTP_REFUSED },
	{ "user cannot be looked up", "220 hi\r\n250 hi\r\n250 ok\r\n451 4.3.0 later\r\n",
	  TO_RCPT, LMTP_LATER },
	{ "over quota at the dot", GOOD "354 go\r\n552 5.2.2 full\r\n", TO_DATA TEXT,
	  LMTP_REFUSED },
	{ "full for now", GOOD "354 go\r\n452 4.2.2 full\r\n", TO_DATA TEXT, LMTP_LATER },
	{ "refusal in two lines", "220 hi\r\n550-no\r\n550 never\r\n", HELLO,
	  LMTP_REFUSED },
	{ "not yet", GOOD, TO_DATA, LMTP_MORE },
	{ "another protocol", "* OK IMAP4rev1\r\n", "", LMTP_ALIEN },
	{ "a strange code", "220 hi\r\n354 go\r\n", HELLO, LMTP_ALIEN },
	{ "text stuck to the code", "2200 hi\r\n", "", LMTP_ALIEN },
	{ "an empty line", "\r\n", "", LMTP_ALIEN },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct lmtp lmtp = { LMTP_GREETING, PW_STR(RECIPIENT),
		             PW_STR("Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n") };
	PW_AUTO(pw_buf_done) struct pw_buf said = { 0 };
	struct pw_str lines = pw_str_from(row->server);
	enum lmtp_result result = LMTP_MORE;

	while (result == LMTP_MORE && lines.len > 0)
		result = lmtp_feed(&lmtp, pw_str_cut(&lines, '\n'), &said);
	assert_string_equal(lmtp_result_name(result), lmtp_result_name(row->result));
	assert_int_equal(lines.len, 0);
	assert_string_equal(pw_buf_text(&said), row->client);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
