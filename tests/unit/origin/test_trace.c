#include "../table.h"

#include <string.h>

#include "origin/engine/trace.h"

#define AT 1795248009 /* Sat Nov 21 08:00:09 UTC 2026 */
#define S(text) { text, sizeof(text) - 1 }

struct row {
	const char *label, *address;
	struct pw_origin origin;
	const char *queue_id, *field;
};

static struct row rows[] = {
	{ "all of it", "192.0.2.7",
	  { .name = S("mail.example.net"), .helo = S("mail.example.net"),
	    .protocol = S("ESMTP"), .tls_version = S("TLSv1.3"),
	    .tls_cipher = S("TLS_AES_256_GCM_SHA384"), .login = S("ann") },
	  "4fQ2xT1z9Yz",
	  "Received: from mail.example.net (mail.example.net [192.0.2.7])\r\n"
	  "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
	  "\tby mx.example.test (postward) with ESMTPSA id 4fQ2xT1z9Yz;\r\n"
	  "\tSat, 21 Nov 2026 08:00:09 +0000 (UTC)\r\n" },
	{ "little known", "2001:db8::7",
	  { .name_state = PW_NAME_NONE, .name = S("liar.example"), .protocol = S("SMTP") }, "",
	  "Received: from unknown (unknown [IPv6:2001:db8::7])\r\n"
	  "\tby mx.example.test (postward) with SMTP;\r\n"
	  "\tSat, 21 Nov 2026 08:00:09 +0000 (UTC)\r\n" },
	{ "hostile HELO", "192.0.2.7",
	  { .name_state = PW_NAME_NONE, .protocol = S("ESMTP"),
	    .helo = S("x) by mx (\r\nX-Spam: no; <a@b>\"\xc3\xbc[1]_:") },
	  "Q",
	  "Received: from x??by?mx????X-Spam:?no???a?b????[1]_: (unknown [192.0.2.7])\r\n"
	  "\tby mx.example.test (postward) with ESMTP id Q;\r\n"
	  "\tSat, 21 Nov 2026 08:00:09 +0000 (UTC)\r\n" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct pw_origin origin = row->origin;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	assert_int_equal(pw_ip_parse(&origin.address, pw_str_from(row->address)), PW_OK);
	trace_put(&out, &origin, PW_STR("mx.example.test"), pw_str_from(row->queue_id), AT);
	assert_string_equal(pw_buf_text(&out), row->field);
}

static void a_long_helo_is_cut(void **state)
{
	char helo[1000];
	struct pw_origin origin = { .helo = { helo, sizeof(helo) } };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	memset(helo, 'x', sizeof(helo));
	trace_put(&out, &origin, PW_STR("mx"), PW_STR("Q"), AT);
	assert_int_equal(pw_str_find(pw_buf_str(&out), '('), strlen("Received: from ") + 255 + 1);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	tests[PW_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(a_long_helo_is_cut);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
