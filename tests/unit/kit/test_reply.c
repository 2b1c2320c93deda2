#include "../table.h"

#include <string.h>

#include "kit/reply.h"

struct row {
	const char *label;
	int code;
	const char *enhanced, *text;
	int code_out;
	const char *enhanced_out, *text_out; /* lines joined by '|' */
	size_t lines;
};

static struct row rows[] = {
	{ "plain", 550, "5.1.1", "No such user", 550, "5.1.1", "No such user", 1 },
	{ "percent doubled", 451, "4.7.1", "100% no", 451, "4.7.1", "100%% no", 1 },
	{ "421 would drop the client", 421, "4.3.2", "bye", 451, "4.3.2", "bye", 1 },
	{ "2xx is no refusal", 250, "2.0.0", "Ok", 451, "4.0.0", "Ok", 1 },
	{ "class differs", 550, "4.1.1", "x", 550, "5.0.0", "x", 1 },
	{ "no enhanced code", 450, "", "x", 450, "4.0.0", "x", 1 },
	{ "hostile enhanced code", 550, "5.1.1 250 Ok", "x", 550, "5.0.0", "x", 1 },
	{ "too many parts", 550, "5.1.1.1", "x", 550, "5.0.0", "x", 1 },
	{ "long parts", 550, "5.123.456", "x", 550, "5.123.456", "x", 1 },
	{ "several lines", 550, "5.7.1", "one\r\ntwo\nthree", 550, "5.7.1", "one|two|three", 3 },
	{ "last line end", 550, "5.7.1", "one\n", 550, "5.7.1", "one", 1 },
	{ "control characters", 550, "5.7.1", "a\rb\tc\x01\x7f", 550, "5.7.1", "a?b?c??", 1 },
	{ "UTF-8 stays", 550, "5.7.1", "\xc3\xbc", 550, "5.7.1", "\xc3\xbc", 1 },
	{ "empty", 550, "5.7.1", "", 550, "5.7.1", "", 1 },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(kit_reply_done) struct kit_reply reply = { 0 };

	assert_int_equal(kit_reply_plan(&reply, row->code, pw_str_from(row->enhanced),
	                                pw_str_from(row->text)),
	                 PW_OK);
	assert_int_equal(reply.code, row->code_out);
	assert_string_equal(reply.enhanced, row->enhanced_out);
	assert_int_equal(reply.lines, row->lines);
	for (size_t i = 0; i + 1 < reply.text.len; i++)
		if (reply.text.at[i] == '\0')
			reply.text.at[i] = '|';
	assert_string_equal(reply.text.at, row->text_out);
}

static void limits_hold(void **state)
{
	PW_AUTO(kit_reply_done) struct kit_reply reply = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		pw_buf_puts(&text, PW_STR("x"));
	for (int i = 0; i < 100; i++)
		pw_buf_puts(&text, PW_STR("\nline"));
	assert_int_equal(kit_reply_plan(&reply, 550, PW_STR("5.7.1"), pw_buf_str(&text)), PW_OK);
	assert_int_equal(reply.lines, KIT_REPLY_LINES);
	assert_int_equal(strlen(reply.text.at), KIT_REPLY_LINE_MAX);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	tests[PW_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(limits_hold);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
