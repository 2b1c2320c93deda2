#include "../table.h"

#include <string.h>

#include "policyd/request.h"

#define HEAD "request=smtpd_access_policy\n"

struct row {
	const char *label;
	struct pw_str bytes;
	enum pw_status status;
	enum request_stage stage;
	const char *sender, *recipient, *login;
	int64_t recipient_count;
};

static struct row rows[] = {
	{ "Postfix 3.7 at RCPT",
	  PW_STR(HEAD
	         "protocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.7\n"
	         "client_name=mail.example.net\nsender=ann@example.test\n"
	         "recipient=bob@example.org\nrecipient_count=0\nqueue_id=\n"
	         "instance=3c.1.2.0\nsize=0\nsasl_method=plain\n"
	         "sasl_username=ann@example.test\npolicy_context=\n\n"),
	  PW_OK, STAGE_RCPT, "ann@example.test", "bob@example.org", "ann@example.test",
	  0 },
	{ "several recipients at the end",
	  PW_STR(HEAD "protocol_state=END-OF-MESSAGE\nrecipient=\nrecipient_count=3\n\n"),
	  PW_OK, STAGE_END_OF_MESSAGE, "", "", "", 3 },
	{ "CRLF",
	  PW_STR("request=smtpd_access_policy\r\nprotocol_state=MAIL\r\nsender=a@"
	         "b\r\n\r\n"),
	  PW_OK, STAGE_MAIL, "a@b", "", "", 0 },
	{ "the first of a name counts",
	  PW_STR(HEAD
	         "sender=a@b\nsender=c@d\nprotocol_state=RCPT\nprotocol_state=MAIL\n\n"),
	  PW_OK, STAGE_RCPT, "a@b", "", "", 0 },
	{ "the first counts though it is empty", PW_STR(HEAD "sender=\nsender=c@d\n\n"),
	  PW_OK, STAGE_OTHER, "", "", "", 0 },
	{ "unknown names and stages", PW_STR(HEAD "tls_sni=x\nprotocol_state=LHLO\n\n"),
	  PW_OK, STAGE_OTHER, "", "", "", 0 },
	{ "equals sign in a value", PW_STR(HEAD "sender=a=b@c\n\n"), PW_OK, STAGE_OTHER,
	  "a=b@c", "", "", 0 },
	{ "a number that is none", PW_STR(HEAD "recipient_count=many\n\n"), PW_OK,
	  STAGE_OTHER, "", "", "", 0 },
	{ "a negative number", PW_STR(HEAD "recipient_count=-3\n\n"), PW_OK, STAGE_OTHER,
	  "", "", "", 0 },
	{ "a number too large", PW_STR(HEAD "recipient_count=99999999999999999999\n\n"),
	  PW_OK, STAGE_OTHER, "", "", "", 0 },
	{ "no equals sign", PW_STR(HEAD "sender\n\n"), PW_ERR_SYNTAX, STAGE_OTHER, NULL,
	  NULL, NULL, 0 },
	{ "NUL", PW_STR(HEAD "sender=a\0b\n\n"), PW_ERR_SYNTAX, STAGE_OTHER, NULL, NULL,
	  NULL, 0 },
	{ "another request", PW_STR("request=junk\n\n"), PW_ERR_SYNTAX, STAGE_OTHER, NULL,
	  NULL, NULL, 0 },
	{ "no request", PW_STR("sender=a@b\n\n"), PW_ERR_SYNTAX, STAGE_OTHER, NULL, NULL,
	  NULL, 0 },
	{ "nothing", PW_STR("\n"), PW_ERR_SYNTAX, STAGE_OTHER, NULL, NULL, NULL, 0 },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct request request = { 0 };
	size_t scanned = 0;

	assert_true(request_is_whole(row->bytes, &scanned));
	assert_int_equal(request_parse(&request, row->bytes), row->status);
	if (row->status != PW_OK)
		return;
	assert_int_equal(request.length, row->bytes.len);
	assert_int_equal(request.stage, row->stage);
	assert_true(pw_str_eq(request.sender, pw_str_from(row->sender)));
	assert_true(pw_str_eq(request.recipient, pw_str_from(row->recipient)));
	assert_true(pw_str_eq(request.login, pw_str_from(row->login)));
	assert_int_equal(request.recipient_count, row->recipient_count);
}

static void split_at_every_byte(void **state)
{
	static const char two[] = HEAD "sender=a@b\n\n" HEAD "sender=c@d\r\n\r\n";
	const struct pw_str both = { two, sizeof(two) - 1 };
	size_t first = sizeof(HEAD "sender=a@b\n\n") - 1;
	struct request request;

	(void)state;
	for (size_t cut = 0; cut < first; cut++) {
		size_t scanned = 0;

		assert_false(request_is_whole((struct pw_str){ two, cut }, &scanned));
		assert_true(request_is_whole(both, &scanned));
		assert_int_equal(request_parse(&request, both), PW_OK);
		assert_int_equal(request.length, first);
	}
}

/* What is behind a request is the next one's business. */
static void behind_it_may_be_anything(void **state)
{
	static const char bytes[] = HEAD "sender=a@b\n\n\0junk\n\n";
	struct request request;

	(void)state;
	assert_int_equal(request_parse(&request, (struct pw_str){ bytes, sizeof(bytes) }),
	                 PW_OK);
	assert_int_equal(request.length, sizeof(HEAD "sender=a@b\n\n") - 1);
}

static void too_many_bytes(void **state)
{
	static char bytes[REQUEST_BYTES_MAX + sizeof(HEAD) + 3] = HEAD "sender=";

	(void)state;
	memset(bytes + strlen(bytes), 'a', sizeof(bytes) - strlen(bytes) - 2);
	memcpy(bytes + sizeof(bytes) - 2, "\n\n", 2);
	assert_int_equal(request_parse(&(struct request){ 0 },
	                               (struct pw_str){ bytes, sizeof(bytes) }),
	                 PW_ERR_LIMIT);
}

static void too_many_attributes(void **state)
{
	char bytes[4096] = HEAD;

	(void)state;
	for (int i = 0; i < REQUEST_ATTRIBUTES_MAX; i++)
		strcat(bytes, "a=\n");
	strcat(bytes, "\n");
	assert_int_equal(request_parse(&(struct request){ 0 }, pw_str_from(bytes)),
	                 PW_ERR_LIMIT);
}

int main(void)
{
	struct CMUnitTest tests[4 + PW_LEN(rows)] = {
		cmocka_unit_test(split_at_every_byte),
		cmocka_unit_test(too_many_attributes),
		cmocka_unit_test(too_many_bytes),
		cmocka_unit_test(behind_it_may_be_anything),
	};

	PW_TABLE_TESTS(tests, 4, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
