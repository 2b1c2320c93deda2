#include "../table.h"

#include "origin/fallback/inject.h"

struct row {
	const char *label;
	const char *address, *name, *helo, *protocol;
	uint16_t port;
	const char *wanted;
};

static struct row rows[] = {
	{ "all", "192.0.2.7", "mail.example.net", "helo.test", "SMTP", 4711,
	  "XFORWARD NAME=mail.example.net ADDR=192.0.2.7 PORT=4711\r\n"
	  "XFORWARD PROTO=SMTP HELO=helo.test SOURCE=REMOTE\r\n" },
	{ "IPv6, nothing else", "2001:db8::7", "", "", "", 0,
	  "XFORWARD NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 PORT=[UNAVAILABLE]\r\n"
	  "XFORWARD PROTO=ESMTP HELO=[UNAVAILABLE] SOURCE=REMOTE\r\n" },
	{ "hostile", "192.0.2.7", "", "x ADDR=127.0.0.1\r\nRSET+", "ESMTP", 0,
	  "XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=[UNAVAILABLE]\r\n"
	  "XFORWARD PROTO=ESMTP HELO=x+20ADDR+3D127.0.0.1+0D+0ARSET+2B "
	  "SOURCE=REMOTE\r\n" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_origin origin = { .name = pw_str_from(row->name),
		                    .helo = pw_str_from(row->helo),
		                    .protocol = pw_str_from(row->protocol),
		                    .port = row->port };

	assert_int_equal(pw_ip_parse(&origin.address, pw_str_from(row->address)), PW_OK);
	inject_put_xforward(&out, &origin);
	assert_string_equal(pw_buf_text(&out), row->wanted);
}

static void refusal_is_one_clean_line(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 }, text = { 0 };

	(void)state;
	inject_put_refusal(&out, 550, PW_STR("5.1.1"),
	                   PW_STR("no\nsuch\r user\x01\xc3\xa4"));
	assert_string_equal(pw_buf_text(&out),
	                    "X-Postward-Refused: 550 5.1.1 no/such? user???\r\n");
	pw_buf_reset(&out);
	for (int i = 0; i < 5000; i++)
		pw_buf_putc(&text, 'x');
	inject_put_refusal(&out, 554, PW_STR(""), pw_buf_str(&text));
	assert_true(out.len < 998);
	assert_true(pw_str_ends_nocase(pw_buf_str(&out), PW_STR("x\r\n")));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	tests[PW_LEN(rows)] =
		(struct CMUnitTest)cmocka_unit_test(refusal_is_one_clean_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
