#include "../table.h"

#include "policyd/doveadm.h"

struct ask_row {
	const char *label;
	struct pw_str login;
	const char *mask; /* NULL = refused */
};

static struct ask_row asks[] = {
	{ "a login", PW_STR("ann@example.test"), "ann@example.test" },
	{ "a whole domain", PW_STR("@example.test"), "*@example.test" },
	{ "everybody", PW_STR("*"), "*" },
	{ "a star is one character", PW_STR("a*b@example.test"), "a?b@example.test" },
	{ "no address", PW_STR("ann"), "ann" },
	{ "UTF-8", PW_STR("\xc3\xa4nn@example.test"), "\xc3\xa4nn@example.test" },
	{ "a tab", PW_STR("ann\t-f"), NULL },
	{ "a line", PW_STR("ann\nkick"), NULL },
	{ "escape character", PW_STR("ann\001t"), NULL },
	{ "NUL", PW_STR("ann\0x"), NULL },
	{ "nobody", PW_STR(""), NULL },
};

static void check_ask(void **state)
{
	const struct ask_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 }, want = { 0 };
	enum pw_status r = doveadm_put_kick(&got, row->login);

	if (row->mask == NULL) {
		assert_int_equal(r, PW_ERR_SYNTAX);
		assert_int_equal(got.len, 0);
		return;
	}
	assert_int_equal(r, PW_OK);
	pw_buf_printf(&want, "VERSION\tdoveadm-server\t1\t0\n\t\tkick\t%s\n", row->mask);
	assert_string_equal(pw_buf_text(&got), pw_buf_text(&want));
}

struct answer_row {
	const char *label;
	struct pw_str bytes;
	bool is_end;
	enum doveadm_answer answer;
};

/* As 2.3.19 and 2.4.1 wrote them. */
static struct answer_row answers[] = {
	{ "2.3: closed", PW_STR("+\nann@example.test\t\n+\n"), false, DOVEADM_CLOSED },
	{ "2.3: two users of one process",
	  PW_STR("+\nann@example.test\tbob@example.test\t\n+\n"), false, DOVEADM_CLOSED },
	{ "2.3: nobody there", PW_STR("+\n\n-NOTFOUND\n"), false, DOVEADM_NONE },
	{ "2.4: closed", PW_STR("+\n3\t\n+\n"), false, DOVEADM_CLOSED },
	{ "2.4: nobody there", PW_STR("+\n0\t\n+\n"), false, DOVEADM_NONE },
	{ "password wanted", PW_STR("-\n-\n"), false, DOVEADM_DENIED },
	{ "wrong usage", PW_STR("+\n\n-USAGE\n"), false, DOVEADM_FAILED },
	{ "unknown command", PW_STR("+\n\n-\n"), false, DOVEADM_FAILED },
	{ "nothing yet", PW_STR(""), false, DOVEADM_MORE },
	{ "greeting only", PW_STR("+\n"), false, DOVEADM_MORE },
	{ "status not whole", PW_STR("+\n3\t\n+"), false, DOVEADM_MORE },
	{ "hung up at once", PW_STR(""), true, DOVEADM_FAILED },
	{ "hung up in the middle", PW_STR("+\n3\t\n"), true, DOVEADM_FAILED },
	{ "an SMTP server", PW_STR("220 mx.example.test\r\n"), false, DOVEADM_ALIEN },
	{ "a status that is none", PW_STR("+\nx\t\n?\n"), false, DOVEADM_ALIEN },
	{ "more behind it", PW_STR("+\n3\t\n+\nrest"), false, DOVEADM_CLOSED },
};

static void check_answer(void **state)
{
	const struct answer_row *row = *state;

	assert_string_equal(doveadm_answer_name(doveadm_read(row->bytes, row->is_end)),
	                    doveadm_answer_name(row->answer));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(asks) + PW_LEN(answers)];

	PW_TABLE_TESTS(tests, 0, asks, check_ask);
	PW_TABLE_TESTS(tests, PW_LEN(asks), answers, check_answer);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
