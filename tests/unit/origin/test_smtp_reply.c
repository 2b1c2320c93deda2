#include "../table.h"

#include <string.h>

#include "origin/engine/smtp_reply.h"

struct reply_row {
	const char *label, *bytes;
	enum reply_state state;
	int code;
	const char *enhanced, *text, *rest;
};

static struct reply_row reply_rows[] = {
	{ "plain", "250 2.1.0 Ok\r\n", REPLY_DONE, 250, "2.1.0", "Ok", "" },
	{ "no enhanced code", "250 Ok\r\n", REPLY_DONE, 250, "", "Ok", "" },
	{ "no text", "354\r\n", REPLY_DONE, 354, "", "", "" },
	{ "blank after the code only", "250 \r\n", REPLY_DONE, 250, "", "", "" },
	{ "several lines", "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n", REPLY_DONE,
	  550, "5.7.1", "one\ntwo\nthree", "" },
	{ "enhanced code on the first line only", "550-5.7.1 one\r\n550 two\r\n", REPLY_DONE, 550,
	  "5.7.1", "one\ntwo", "" },
	{ "LF alone", "250 Ok\n", REPLY_DONE, 250, "", "Ok", "" },
	{ "the next reply stays", "250 Ok\r\n354 Go\r\n", REPLY_DONE, 250, "", "Ok",
	  "354 Go\r\n" },
	{ "class must match", "550 4.7.1 odd\r\n", REPLY_DONE, 550, "", "4.7.1 odd", "" },
	{ "percent is only text", "451 4.7.1 100% no\r\n", REPLY_DONE, 451, "4.7.1", "100% no",
	  "" },
	{ "a version is no enhanced code", "250 2.1.0.7 Ok\r\n", REPLY_DONE, 250, "",
	  "2.1.0.7 Ok", "" },
	{ "half a line", "250 O", REPLY_MORE, 0, "", "", "" },
	{ "half a reply", "250-Ok\r\n", REPLY_MORE, 250, "", "Ok", "" },
	{ "codes differ", "250-a\r\n251 b\r\n", REPLY_BAD, 250, "", "a", "" },
	{ "no code", "hello\r\n", REPLY_BAD, 0, "", "", "" },
	{ "1xx", "150 x\r\n", REPLY_BAD, 0, "", "", "" },
	{ "6xx", "600 x\r\n", REPLY_BAD, 0, "", "", "" },
	{ "signed", "-25 x\r\n", REPLY_BAD, 0, "", "", "" },
	{ "no separator", "2500 x\r\n", REPLY_BAD, 0, "", "", "" },
	{ "empty line", "\r\n", REPLY_BAD, 0, "", "", "" },
};

static enum reply_state feed_bytes(struct smtp_reply *reply, struct pw_str *input, size_t step)
{
	enum reply_state state = REPLY_MORE;

	while (input->len > 0 && state == REPLY_MORE) {
		struct pw_str piece = pw_str_sub(*input, 0, step);
		size_t given = piece.len;

		state = smtp_reply_feed(reply, &piece);
		*input = pw_str_sub(*input, given - piece.len, input->len);
	}
	return state;
}

/* However the bytes arrive. */
static void check_reply(void **state)
{
	static const size_t steps[] = { 1, 2, 7, 4096 };
	const struct reply_row *row = *state;

	for (size_t i = 0; i < PW_LEN(steps); i++) {
		PW_AUTO(smtp_reply_done) struct smtp_reply reply = { 0 };
		struct pw_str input = pw_str_from(row->bytes);

		assert_int_equal(feed_bytes(&reply, &input, steps[i]), row->state);
		if (row->state == REPLY_BAD)
			continue;
		assert_int_equal(reply.code, row->code);
		assert_string_equal(reply.enhanced, row->enhanced);
		assert_string_equal(pw_buf_text(&reply.text), row->text);
		assert_true(pw_str_eq(input, pw_str_from(row->rest)));
	}
}

static void too_much_is_bad(void **state)
{
	PW_AUTO(smtp_reply_done) struct smtp_reply reply = { 0 };
	struct pw_str line;
	enum reply_state result = REPLY_MORE;

	(void)state;
	for (int i = 0; i < 100000 && result == REPLY_MORE; i++) {
		line = PW_STR("250 never a line end ");
		result = smtp_reply_feed(&reply, &line);
	}
	assert_int_equal(result, REPLY_BAD);
	smtp_reply_reset(&reply);
	result = REPLY_MORE;
	for (int i = 0; i < 100000 && result == REPLY_MORE; i++) {
		line = PW_STR("250-never the last line\r\n");
		result = smtp_reply_feed(&reply, &line);
	}
	assert_int_equal(result, REPLY_BAD);
}

struct id_row {
	const char *label, *text, *id;
};

static struct id_row id_rows[] = {
	{ "Postfix", "Ok: queued as 4fQ2xT1z9Yz", "4fQ2xT1z9Yz" },
	{ "something behind it", "Ok: queued as ABC.", "ABC" },
	{ "proxied", "Ok: 250 2.0.0 Ok: queued as DEF", "DEF" },
	{ "none", "Thank you", "" },
	{ "cut short", "queued as", "" },
};

static void check_id(void **state)
{
	const struct id_row *row = *state;
	PW_AUTO(smtp_reply_done) struct smtp_reply reply = { 0 };

	smtp_reply_set(&reply, 250, "2.0.0", row->text);
	assert_true(pw_str_eq(smtp_reply_queue_id(&reply), pw_str_from(row->id)));
}

struct offer_row {
	const char *label, *text;
	unsigned offers;
	int64_t size_max;
};

static struct offer_row offer_rows[] = {
	{ "Postfix for a trusted peer",
	  "inner.test\nPIPELINING\nSIZE 10240000\nETRN\nENHANCEDSTATUSCODES\n8BITMIME\nDSN\n"
	  "SMTPUTF8\nCHUNKING\nXCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR "
	  "DESTPORT",
	  OFFER_PIPELINING | OFFER_SIZE | OFFER_8BITMIME | OFFER_DSN | OFFER_SMTPUTF8 | OFFER_NAME | OFFER_ADDR |
	          OFFER_PROTO | OFFER_HELO | OFFER_REVERSE_NAME | OFFER_PORT | OFFER_LOGIN |
	          OFFER_DESTADDR | OFFER_DESTPORT, 10240000 },
	{ "KumoMTA", "mx\nXCLIENT ADDR PORT DESTADDR DESTPORT",
	  OFFER_ADDR | OFFER_PORT | OFFER_DESTADDR | OFFER_DESTPORT, 0 },
	{ "lower case", "mx\nsize\nxclient addr", OFFER_SIZE | OFFER_ADDR, 0 },
	{ "the greeting offers nothing", "XCLIENT ADDR", 0, 0 },
	{ "words must be whole", "mx\nSIZES 5\nXCLIENTS ADDR", 0, 0 },
	{ "attributes outside XCLIENT", "mx\nADDR", 0, 0 },
	{ "no limit", "mx\nSIZE 0", OFFER_SIZE, 0 },
	{ "a limit that is none", "mx\nSIZE much", OFFER_SIZE, 0 },
	{ "a blank too many", "mx\nsize  77 ", OFFER_SIZE, 77 },
};

static void check_offers(void **state)
{
	const struct offer_row *row = *state;
	PW_AUTO(smtp_reply_done) struct smtp_reply reply = { 0 };

	smtp_reply_set(&reply, 250, "", row->text);
	assert_int_equal(smtp_reply_offers(&reply), row->offers);
	assert_int_equal(smtp_reply_size_max(&reply), row->size_max);
}

int main(void)
{
	enum {
		REPLIES = PW_LEN(reply_rows),
		IDS = PW_LEN(id_rows),
		OFFERS = PW_LEN(offer_rows)
	};
	struct CMUnitTest tests[REPLIES + IDS + OFFERS + 1];

	PW_TABLE_TESTS(tests, 0, reply_rows, check_reply);
	PW_TABLE_TESTS(tests, REPLIES, id_rows, check_id);
	PW_TABLE_TESTS(tests, REPLIES + IDS, offer_rows, check_offers);
	tests[REPLIES + IDS + OFFERS] =
	        (struct CMUnitTest)cmocka_unit_test(too_much_is_bad);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
