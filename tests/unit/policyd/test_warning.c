#include "../table.h"

#include <string.h>

#include "policyd/warning.h"

/* 2026-11-21 09:00:00 UTC */
#define NOW_MS INT64_C(1795251600000)
#define MB INT64_C(1048576)
#define TOKEN "17.abc"

struct row {
	const char *label;
	struct chores_warning warning;
	const char *contains; /* NULL = refused */
};

#define WARN(login, subject, text)                                                       \
	{                                                                                \
		{ login, sizeof(login) - 1 }, { subject, sizeof(subject) - 1 },          \
			{ text, sizeof(text) - 1 }, 90, 900 * MB, 1000 * MB, false       \
	}
#define ANN "ann@example.test"

static struct row rows[] = {
	{ "date", WARN(ANN, "s", "t"), "Date: Sat, 21 Nov 2026 09:00:00 +0000\r\n" },
	{ "from and to", WARN(ANN, "s", "t"),
	  "\r\nFrom: postmaster@example.test\r\nTo: ann@example.test\r\n" },
	{ "message id", WARN(ANN, "s", "t"),
	  "\r\nMessage-ID: <17.abc.warning@example.test>\r\n" },
	{ "nothing answers it", WARN(ANN, "s", "t"),
	  "\r\nAuto-Submitted: auto-generated\r\n" },
	/* "90 % of 1000" */
	{ "variables in the subject", WARN(ANN, "%{percent} % of %{quota_mb}", "t"),
	  "\r\nSubject: =?utf-8?B?OTAgJSBvZiAxMDAw?=\r\n" },
	/* "ann@example.test: 900\r\n" */
	{ "variables in the text", WARN(ANN, "s", "%{user}: %{used_mb}"),
	  "\r\n\r\nYW5uQGV4YW1wbGUudGVzdDogOTAwDQo=\r\n" },
	/* "%{who}%\r\n" */
	{ "no such variable", WARN(ANN, "s", "%{who}%"), "\r\n\r\nJXt3aG99JQ0K\r\n" },
	/* "a\r\nb\r\n" */
	{ "line ends", WARN(ANN, "s", "a\nb\r\n"), "\r\n\r\nYQ0KYg0K\r\n" },
	/* "?\r\n" */
	{ "what is no UTF-8", WARN(ANN, "s", "\xff"), "\r\n\r\nPw0K\r\n" },
	/* "a b" */
	{ "a line end in the subject", WARN(ANN, "a\nb", "t"),
	  "\r\nSubject: =?utf-8?B?YSBi?=\r\n" },
	/* 38 x and one of two bytes: the word ends before it */
	{ "words split no character",
	  WARN(ANN, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xa4y", "t"),
	  "=?utf-8?B?eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=?=\r\n "
	  "=?utf-8?B?w6R5?=\r\n" },
	{ "no domain", WARN("ann", "s", "t"), NULL },
	{ "no local part", WARN("@example.test", "s", "t"), NULL },
	{ "nothing behind the @", WARN("ann@", "s", "t"), NULL },
	{ "a header in the login", WARN("ann\r\nX: y@example.test", "s", "t"), NULL },
	{ "angle brackets", WARN("ann><bob@example.test", "s", "t"), NULL },
};

static void check_lines(struct pw_str text)
{
	while (text.len > 0) {
		struct pw_str line = pw_str_cut(&text, '\n');

		assert_true(line.len > 0 && line.len <= 79);
		assert_int_equal(line.at[line.len - 1], '\r');
	}
}

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	enum pw_status r = warning_put(&out, &row->warning, PW_STR(TOKEN), NOW_MS);

	if (row->contains == NULL) {
		assert_int_equal(r, PW_ERR_SYNTAX);
		assert_int_equal(out.len, 0);
		return;
	}
	assert_int_equal(r, PW_OK);
	if (strstr(pw_buf_text(&out), row->contains) == NULL)
		fail_msg("%s", pw_buf_text(&out));
	check_lines(pw_buf_str(&out));
}

/* However long the admin's text is. */
static void check_long(void **state)
{
	static char text[WARNING_TEXT_MAX * 2];
	const struct chores_warning warning = {
		PW_STR(ANN), { text, sizeof(text) }, { text, sizeof(text) }, 95, 1, 1,
		false
	};
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(warning_put(&out, &warning, PW_STR(TOKEN), NOW_MS), PW_OK);
	assert_true(out.len < WARNING_TEXT_MAX * 3 / 2);
	check_lines(pw_buf_str(&out));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	tests[PW_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(check_long);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
