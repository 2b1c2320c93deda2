#include "../table.h"

#include <string.h>

#include "origin/queue/xforward.h"

struct row {
	const char *label, *commands[3];
	enum pw_status status; /* of the last one */
	const char *client;    /* pw_origin_put */
	int port;
	enum pw_name_state state;
	const char *helo, *protocol, *ident;
	bool is_local;
};

/* clang-format off */
static struct row rows[] = {
	{ "as smtp(8) tells it", { "NAME=mail.sender.test ADDR=198.51.100.7 PORT=36099",
	                           "PROTO=ESMTP HELO=mail.sender.test IDENT=4jdWvp4hPrz1bYC9 SOURCE=REMOTE" },
	  PW_OK, "mail.sender.test[198.51.100.7]", 36099, PW_NAME_KNOWN, "mail.sender.test", "ESMTP",
	  "4jdWvp4hPrz1bYC9", false },
	{ "IPv6", { "ADDR=IPv6:2001:DB8::7" }, PW_OK, "unknown[2001:db8::7]", 0, PW_NAME_NONE, "", "", "", false },
	{ "any case", { "addr=IPV6:2001:db8::7 helo=x" }, PW_OK, "unknown[2001:db8::7]", 0, PW_NAME_NONE, "x", "", "", false },
	{ "IPv6 without its prefix", { "ADDR=2001:db8::7" }, PW_OK, "unknown[2001:db8::7]", 0, PW_NAME_NONE, "", "", "", false },
	{ "mapped", { "ADDR=IPV6:::ffff:192.0.2.1" }, PW_OK, "unknown[192.0.2.1]", 0, PW_NAME_NONE, "", "", "", false },
	{ "no name", { "ADDR=192.0.2.1 PORT=25" }, PW_OK, "unknown[192.0.2.1]", 25, PW_NAME_NONE, "", "", "", false },
	{ "no name, said so", { "NAME=[UNAVAILABLE] ADDR=192.0.2.1" }, PW_OK, "unknown[192.0.2.1]", 0, PW_NAME_NONE, "", "", "", false },
	{ "no name for now", { "NAME=[TEMPUNAVAIL] ADDR=192.0.2.1" }, PW_OK, "unknown[192.0.2.1]", 0, PW_NAME_TEMPORARY, "", "", "", false },
	{ "taken back", { "NAME=a.test ADDR=192.0.2.1 IDENT=x", "NAME=[UNAVAILABLE] IDENT=[UNAVAILABLE]" },
	  PW_OK, "unknown[192.0.2.1]", 0, PW_NAME_NONE, "", "", "", false },
	{ "somebody else's", { "NAME=a.test ADDR=192.0.2.1", "NAME=b.test ADDR=192.0.2.2" }, PW_OK,
	  "b.test[192.0.2.2]", 0, PW_NAME_KNOWN, "", "", "", false },
	{ "born on the edge", { "SOURCE=LOCAL" }, PW_OK, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", true },
	{ "xtext", { "HELO=a+20+2Bb+3D" }, PW_OK, "unknown[unknown]", 0, PW_NAME_NONE, "a +b=", "", "", false },
	{ "two blanks", { "HELO=a  PORT=1 " }, PW_OK, "unknown[unknown]", 1, PW_NAME_NONE, "a", "", "", false },
	{ "nothing", { "" }, PW_OK, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", false },
	{ "no value leaves all as it was", { "HELO=a", "PORT=2 NAME=" }, PW_ERR_SYNTAX, "unknown[unknown]", 0, PW_NAME_NONE, "a", "", "", false },
	{ "unknown attribute", { "LOGIN=ann" }, PW_ERR_SYNTAX, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", false },
	{ "no equals sign", { "HELO" }, PW_ERR_SYNTAX, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", false },
	{ "no xtext", { "HELO=a+2" }, PW_ERR_SYNTAX, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", false },
	{ "no address", { "ADDR=mail.test" }, PW_ERR_SYNTAX, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", false },
	{ "IPv4 as IPv6", { "ADDR=IPV6:192.0.2.1" }, PW_ERR_SYNTAX, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", false },
	{ "no port", { "PORT=65536" }, PW_ERR_SYNTAX, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", false },
	{ "no source", { "SOURCE=MARS" }, PW_ERR_SYNTAX, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", false },
	{ "an id that could forge a log line", { "IDENT=a:+20client" }, PW_ERR_SYNTAX, "unknown[unknown]", 0, PW_NAME_NONE, "", "", "", false },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf client = { 0 };
	struct xforward x = { 0 };
	struct pw_origin origin;
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < PW_LEN(row->commands) && row->commands[i]; i++)
		r = xforward_take(&x, pw_str_from(row->commands[i]));
	assert_int_equal(r, row->status);
	xforward_origin(&x, &origin);
	pw_origin_put(&client, &origin);
	assert_string_equal(pw_buf_text(&client), row->client);
	assert_int_equal(origin.port, row->port);
	assert_int_equal(origin.name_state, row->state);
	assert_true(pw_str_eq(origin.helo, pw_str_from(row->helo)));
	assert_true(pw_str_eq(origin.protocol, pw_str_from(row->protocol)));
	assert_string_equal(x.ident.text, row->ident);
	assert_int_equal(x.is_local, row->is_local);
}

static void test_long_values(void **state)
{
	static char text[600] = "HELO=";
	struct xforward x = { 0 };
	struct pw_origin origin;

	(void)state;
	memset(text + 5, 'h', 500);
	assert_int_equal(xforward_take(&x, pw_str_from(text)), PW_OK);
	xforward_origin(&x, &origin);
	assert_int_equal(origin.helo.len, XFORWARD_VALUE_MAX);
	memcpy(text, "IDENT", 5);
	text[5] = '=';
	assert_int_equal(xforward_take(&x, pw_str_from(text)), PW_ERR_LIMIT);
}

static void test_told(void **state)
{
	struct xforward x = { 0 };

	(void)state;
	assert_int_equal(xforward_take(&x, PW_STR("BAD")), PW_ERR_SYNTAX);
	assert_false(x.is_told);
	assert_int_equal(xforward_take(&x, PW_STR("SOURCE=LOCAL")), PW_OK);
	assert_true(x.is_told);
}

/* A queue id of Postfix 3.7, made at 18:16:41 on 30 November 2026. */
#define IDENT "4jdXKP1kRrz1bgsJ"
#define MADE_S 1796062601

static void test_arrival(void **state)
{
	static const struct {
		const char *ident;
		int64_t now_s, at_s;
	} cases[] = {
		{ IDENT, MADE_S + 5, MADE_S },
		{ IDENT, MADE_S - 5, MADE_S },
		{ IDENT, MADE_S + 401 * 86400, 0 }, /* so old is nothing in a queue */
		{ "4jdXKP1kRra1bgsJ", MADE_S, 0 },
		{ "4jdXAP1kRrz1bgsJ", MADE_S, 0 },
		{ "3F2A91C0D7", MADE_S, 0 }, /* a short id */
		{ "", MADE_S, 0 },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(cases); i++) {
		struct xforward x = { 0 };

		x.ident.len = strlen(cases[i].ident);
		memcpy(x.ident.text, cases[i].ident, x.ident.len);
		assert_int_equal(xforward_arrival_s(&x, cases[i].now_s), cases[i].at_s);
	}
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 3] = { cmocka_unit_test(test_long_values),
		                                      cmocka_unit_test(test_told),
		                                      cmocka_unit_test(test_arrival) };

	PW_TABLE_TESTS(tests, 3, rows, check_row);
	return cmocka_run_group_tests_name("xforward", tests, NULL, NULL);
}
