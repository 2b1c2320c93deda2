#include "../table.h"

#include <string.h>

#include "origin/engine/smtp_reply.h"
#include "origin/engine/xclient.h"

#define ALL (~0u)
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define LONG_LABEL FIFTY TEN "xyz" /* 63 bytes */
#define LONG_NAME LONG_LABEL "." LONG_LABEL "." LONG_LABEL ".example"

struct row {
	const char *label, *address;
	unsigned offers;
	struct pw_origin origin;
	enum pw_status status;
	const char *commands;
};

#define S(text) { text, sizeof(text) - 1 }

static struct row rows[] = {
	{ "everything known", "192.0.2.7", ALL,
	  { .port = 4711, .name = S("mail.example.net"), .ptr = S("mail.example.net"),
	    .helo = S("mail.example.net"), .protocol = S("ESMTP"), .login = S("ann@example.org"),
	    .server_port = 25, .server_address = { PW_IP_V4, { 198, 51, 100, 25 } } },
	  PW_OK,
	  "XCLIENT NAME=mail.example.net REVERSE_NAME=mail.example.net DESTADDR=198.51.100.25 "
	  "DESTPORT=25 PORT=4711 HELO=mail.example.net PROTO=ESMTP LOGIN=ann@example.org "
	  "ADDR=192.0.2.7\r\n" },
	{ "nothing known", "192.0.2.7", ALL, { .name_state = PW_NAME_NONE }, PW_OK,
	  "XCLIENT NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE] DESTADDR=[UNAVAILABLE] "
	  "DESTPORT=[UNAVAILABLE] PORT=[UNAVAILABLE] HELO=[UNAVAILABLE] PROTO=ESMTP "
	  "LOGIN=[UNAVAILABLE] ADDR=192.0.2.7\r\n" },
	{ "IPv6", "2001:db8::7", OFFER_ADDR | OFFER_NAME, { .name_state = PW_NAME_NONE }, PW_OK,
	  "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7\r\n" },
	{ "IPv4 in IPv6", "::ffff:192.0.2.7", OFFER_ADDR | OFFER_NAME,
	  { .name_state = PW_NAME_NONE }, PW_OK,
	  "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7\r\n" },
	{ "lookup failed for now", "192.0.2.7", OFFER_ADDR | OFFER_NAME | OFFER_REVERSE_NAME,
	  { .name_state = PW_NAME_TEMPORARY }, PW_OK,
	  "XCLIENT NAME=[TEMPUNAVAIL] REVERSE_NAME=[TEMPUNAVAIL] ADDR=192.0.2.7\r\n" },
	{ "PTR that does not lead back", "192.0.2.7", OFFER_ADDR | OFFER_NAME | OFFER_REVERSE_NAME,
	  { .name_state = PW_NAME_NONE, .ptr = S("liar.example") }, PW_OK,
	  "XCLIENT NAME=[UNAVAILABLE] REVERSE_NAME=liar.example ADDR=192.0.2.7\r\n" },
	{ "an unverified name is not sent", "192.0.2.7", OFFER_ADDR | OFFER_NAME,
	  { .name_state = PW_NAME_NONE, .name = S("liar.example") }, PW_OK,
	  "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7\r\n" },
	{ "a name Postfix would refuse", "192.0.2.7", OFFER_ADDR | OFFER_NAME,
	  { .name = S("-bad..x") }, PW_OK,
	  "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7\r\n" },
	{ "HELO is encoded", "192.0.2.7", OFFER_ADDR | OFFER_NAME | OFFER_HELO,
	  { .name = S("a.example"), .helo = S("x+2B=\r\nADDR=127.0.0.1") }, PW_OK,
	  "XCLIENT NAME=a.example HELO=x+2B2B+3D+0D+0AADDR+3D127.0.0.1 ADDR=192.0.2.7\r\n" },
	{ "a login that cannot be told", "192.0.2.7", ALL & ~(unsigned)OFFER_LOGIN,
	  { .name = S("a.example"), .login = S("ann") }, PW_ERR_DENIED, "" },
	{ "plain SMTP", "192.0.2.7", OFFER_ADDR | OFFER_NAME | OFFER_PROTO,
	  { .name = S("a.example"), .protocol = S("SMTP") }, PW_OK,
	  "XCLIENT NAME=a.example PROTO=SMTP ADDR=192.0.2.7\r\n" },
	{ "split: HELO PROTO LOGIN ADDR last", "192.0.2.7", ALL,
	  { .port = 1, .name = S(LONG_NAME), .ptr = S(LONG_NAME), .helo = S(LONG_NAME),
	    .protocol = S("ESMTP"), .login = S("ann"), .server_port = 25,
	    .server_address = { PW_IP_V4, { 198, 51, 100, 25 } } },
	  PW_OK,
	  "XCLIENT NAME=" LONG_NAME " REVERSE_NAME=" LONG_NAME
	  " DESTADDR=198.51.100.25 DESTPORT=25 PORT=1\r\n"
	  "XCLIENT HELO=" LONG_NAME " PROTO=ESMTP LOGIN=ann ADDR=192.0.2.7\r\n" },
	{ "a long HELO is cut", "192.0.2.7", OFFER_ADDR | OFFER_NAME | OFFER_HELO,
	  { .name = S("a"), .helo = S(FIFTY FIFTY FIFTY FIFTY FIFTY "+++") }, PW_OK,
	  "XCLIENT NAME=a HELO=" FIFTY FIFTY FIFTY FIFTY FIFTY "+2B ADDR=192.0.2.7\r\n" },
	{ "a long login is not", "192.0.2.7", ALL,
	  { .name = S("a"), .login = S(FIFTY FIFTY FIFTY FIFTY FIFTY "++") }, PW_ERR_LIMIT, "" },
	{ "no ADDR offered", "192.0.2.7", OFFER_NAME, { .name = S("a") }, PW_ERR_DENIED, "" },
	{ "no NAME offered: the edge's would stay", "192.0.2.7", OFFER_ADDR, { .name = S("a") },
	  PW_ERR_DENIED, "" },
	{ "no XCLIENT at all", "192.0.2.7", OFFER_SIZE, { .name = S("a") }, PW_ERR_DENIED, "" },
	{ "no address", "", ALL, { .name = S("a") }, PW_ERR_NOTFOUND, "" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct pw_origin origin = row->origin;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	if (row->address[0])
		assert_int_equal(pw_ip_parse(&origin.address, pw_str_from(row->address)), PW_OK);
	assert_int_equal(xclient_build(&out, &origin, row->offers), row->status);
	assert_string_equal(pw_buf_text(&out), row->commands);
}

struct name_row {
	const char *label, *name;
	bool is_hostname;
};

static struct name_row name_rows[] = {
	{ "usual", "mail.example.net", true },   { "underscore", "a_b.example", true },
	{ "single label", "localhost", true },   { "begins with a dash", "-a.example", false },
	{ "ends with a dash", "a-.example", false }, { "empty label", "a..example", false },
	{ "trailing dot", "a.example.", false }, { "address", "192.0.2.7", false },
	{ "digits", "12345", false },            { "empty", "", false },
	{ "blank", "a b", false },               { "UTF-8", "m\xc3\xbcller.example", false },
	{ "label of 63", LONG_LABEL, true },     { "label of 64", LONG_LABEL "a", false },
};

static void check_name(void **state)
{
	const struct name_row *row = *state;

	assert_int_equal(xclient_is_hostname(pw_str_from(row->name)), row->is_hostname);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + PW_LEN(name_rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	PW_TABLE_TESTS(tests, PW_LEN(rows), name_rows, check_name);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
