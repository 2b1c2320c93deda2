#include "../table.h"

#include <string.h>

#include "origin/queue/command.h"

struct row {
	const char *label, *line;
	enum pw_status status;
	enum command_verb verb;
	const char *argv[5];
	const char *rest;
};

/* clang-format off */
static struct row rows[] = {
	{ "greeting", "LHLO mx.example", PW_OK, COMMAND_LHLO, { NULL }, "mx.example" },
	{ "any case", "data", PW_OK, COMMAND_DATA, { NULL }, "" },
	{ "blanks around", "NOOP \t x ", PW_OK, COMMAND_NOOP, { NULL }, "x" },
	{ "attributes", "XFORWARD NAME=a ADDR=b", PW_OK, COMMAND_XFORWARD, { NULL }, "NAME=a ADDR=b" },
	{ "sender", "MAIL FROM:<a@b> SIZE=1 BODY=8BITMIME", PW_OK, COMMAND_MAIL,
	  { "<a@b>", "SIZE=1", "BODY=8BITMIME" }, NULL },
	{ "null sender", "MAIL FROM:<>", PW_OK, COMMAND_MAIL, { "<>" }, NULL },
	{ "a client's own way", "mail from: a@b  size=1", PW_OK, COMMAND_MAIL, { "a@b", "size=1" }, NULL },
	{ "recipient", "RCPT TO:<a@b> ORCPT=rfc822;a@b NOTIFY=NEVER", PW_OK, COMMAND_RCPT,
	  { "<a@b>", "ORCPT=rfc822;a@b", "NOTIFY=NEVER" }, NULL },
	{ "quoted", "RCPT TO:<\"a b> c\"@d> X=1", PW_OK, COMMAND_RCPT, { "<\"a b> c\"@d>", "X=1" }, NULL },
	{ "escaped quote", "RCPT TO:<\"a\\\">\"@d>", PW_OK, COMMAND_RCPT, { "<\"a\\\">\"@d>" }, NULL },
	{ "UTF-8", "RCPT TO:<\xc3\xbc@b>", PW_OK, COMMAND_RCPT, { "<\xc3\xbc@b>" }, NULL },
	{ "unknown", "EXPN x", PW_OK, COMMAND_UNKNOWN, { NULL }, "x" },
	{ "empty", "", PW_OK, COMMAND_UNKNOWN, { NULL }, "" },
	{ "no address", "MAIL FROM:", PW_ERR_SYNTAX, COMMAND_MAIL, { NULL }, NULL },
	{ "no FROM", "MAIL <a@b>", PW_ERR_SYNTAX, COMMAND_MAIL, { NULL }, NULL },
	{ "FROM for RCPT", "RCPT FROM:<a@b>", PW_ERR_SYNTAX, COMMAND_RCPT, { NULL }, NULL },
	{ "no end of address", "MAIL FROM:<a@b", PW_ERR_SYNTAX, COMMAND_MAIL, { NULL }, NULL },
	{ "no end of quotes", "MAIL FROM:<\"a@b>", PW_ERR_SYNTAX, COMMAND_MAIL, { NULL }, NULL },
	{ "text behind the address", "MAIL FROM:<a@b>x", PW_ERR_SYNTAX, COMMAND_MAIL, { NULL }, NULL },
	{ "brackets that would end early", "MAIL FROM:a>b", PW_ERR_SYNTAX, COMMAND_MAIL, { NULL }, NULL },
	{ "brackets that would not end", "MAIL FROM:a\\", PW_ERR_SYNTAX, COMMAND_MAIL, { NULL }, NULL },
	{ "bare LF", "MAIL FROM:<a@b>\nDATA", PW_ERR_SYNTAX, COMMAND_MAIL, { NULL }, NULL },
	{ "bare CR", "RCPT TO:<a\r@b>", PW_ERR_SYNTAX, COMMAND_RCPT, { NULL }, NULL },
	{ "control byte in what is unknown", "\x01", PW_ERR_SYNTAX, COMMAND_UNKNOWN, { NULL }, NULL },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;
	static struct command command;
	size_t i = 0;

	assert_int_equal(command_parse(&command, pw_str_from(row->line)), row->status);
	assert_int_equal(command.verb, row->verb);
	if (row->rest)
		assert_true(pw_str_eq(command.rest, pw_str_from(row->rest)));
	if (row->status != PW_OK)
		return;
	for (; row->argv[i]; i++)
		assert_string_equal(command.argv[i], row->argv[i]);
	assert_null(command.argv[i]);
}

static void test_limits(void **state)
{
	static struct command command;
	static char line[COMMAND_LINE_MAX + 2];
	size_t used = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_int_equal(
		command_parse(&command, (struct pw_str){ line, sizeof(line) - 1 }),
		PW_ERR_LIMIT);
	assert_int_equal(
		command_parse(&command, (struct pw_str){ line, sizeof(line) - 2 }),
		PW_OK);
	memcpy(line, "MAIL FROM:<a@b>", 15);
	for (used = 15; used < sizeof(line) - 1; used += 2)
		memcpy(line + used, " x", 2);
	assert_int_equal(
		command_parse(&command, (struct pw_str){ line, COMMAND_LINE_MAX }),
		PW_ERR_LIMIT);
	assert_int_equal(command_parse(&command, (struct pw_str){ line, 15 + 62 }),
	                 PW_OK);
	assert_non_null(command.argv[COMMAND_WORDS_MAX - 1]);
	assert_null(command.argv[COMMAND_WORDS_MAX]);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = { cmocka_unit_test(test_limits) };

	PW_TABLE_TESTS(tests, 1, rows, check_row);
	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
