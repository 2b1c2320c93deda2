#include "../table.h"

#include <string.h>

#include "core/clam.h"

struct parse_row {
	const char *label, *text;
	enum pw_status status;
	enum pw_clam_result result;
	const char *part;
};

/* clang-format off */
static struct parse_row parse_rows[] = {
	{ "clean",              "stream: OK",                            PW_OK, PW_CLAM_CLEAN,  "" },
	{ "found",              "stream: Eicar-Signature FOUND",         PW_OK, PW_CLAM_FOUND,  "Eicar-Signature" },
	{ "unofficial",         "stream: Own.Test.UNOFFICIAL FOUND",     PW_OK, PW_CLAM_FOUND,  "Own.Test.UNOFFICIAL" },
	{ "old subject",        "instream(local): Eicar FOUND",          PW_OK, PW_CLAM_FOUND,  "Eicar" },
	{ "a name with colons", "stream: A: B FOUND",                    PW_OK, PW_CLAM_FOUND,  "A: B" },
	{ "named like a word",  "stream: OK FOUND",                      PW_OK, PW_CLAM_FOUND,  "OK" },
	{ "too large",          "INSTREAM size limit exceeded. ERROR",   PW_OK, PW_CLAM_FAILED, "INSTREAM size limit exceeded." },
	{ "failed",             "stream: Can't allocate memory ERROR",   PW_OK, PW_CLAM_FAILED, "stream: Can't allocate memory" },
	{ "empty",              "",                                      PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
	{ "no subject",         "OK",                                    PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
	{ "no blank",           "stream:OK",                             PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
	{ "no name",            "stream: FOUND",                         PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
	{ "blank for a name",   "stream:  FOUND",                        PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
	{ "OK and more",        "stream: OK then",                       PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
	{ "small letters",      "stream: ok",                            PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
	{ "only a colon",       ":",                                     PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
	{ "ends in a colon",    "stream: ",                              PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
	{ "another protocol",   "UNKNOWN COMMAND",                       PW_ERR_PROTOCOL, PW_CLAM_FAILED, "-" },
};
/* clang-format on */

static void check_parse(void **state)
{
	const struct parse_row *row = *state;
	struct pw_clam_reply reply = { PW_CLAM_FAILED, PW_STR("-") }; /* kept on failure */

	assert_int_equal(pw_clam_reply_parse(&reply, pw_str_from(row->text)),
	                 row->status);
	assert_int_equal(reply.result, row->result);
	assert_true(pw_str_eq(reply.text, pw_str_from(row->part)));
}

struct name_row {
	const char *label;
	struct pw_str name;
	const char *text;
};

/* clang-format off */
static struct name_row name_rows[] = {
	{ "name stays",         PW_STR("Win.Test.EICAR_HDB-1"), "Win.Test.EICAR_HDB-1" },
	{ "name of many parts", PW_STR("Heuristics.(A)/B+C"),   "Heuristics.(A)/B+C" },
	{ "name with a blank",  PW_STR("a b\tc"),               "a?b?c" },
	{ "name with a line",   PW_STR("a\r\nX-Spam: No"),      "a??X-Spam:?No" },
	{ "name with a NUL",    PW_STR("a\0b"),                 "a?b" },
	{ "name with quotes",   PW_STR("\"a\\'<b>,"),           "?a???b??" },
	{ "name in UTF-8",      PW_STR("\xc3\xa4"),             "??" },
};
/* clang-format on */

static void check_name(void **state)
{
	const struct name_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	pw_clam_put_name(&out, row->name);
	assert_string_equal(pw_buf_text(&out), row->text);
}

static void long_ones_have_an_end(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	char text[PW_CLAM_REPLY_MAX + 2];
	struct pw_clam_reply reply;

	(void)state;
	memset(text, 'n', sizeof(text));
	memcpy(text, "stream: ", 8);
	memcpy(text + PW_CLAM_REPLY_MAX - 6, " FOUND", 6);
	assert_int_equal(
		pw_clam_reply_parse(&reply, (struct pw_str){ text, PW_CLAM_REPLY_MAX }),
		PW_OK);
	pw_clam_put_name(&out, reply.text);
	assert_int_equal(out.len, PW_CLAM_NAME_MAX);
	memcpy(text + PW_CLAM_REPLY_MAX - 6, "n FOUND", 7);
	assert_int_equal(pw_clam_reply_parse(&reply, (struct pw_str){
							     text, PW_CLAM_REPLY_MAX + 1 }),
	                 PW_ERR_PROTOCOL);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(parse_rows) + PW_LEN(name_rows) + 1] = {
		cmocka_unit_test(long_ones_have_an_end),
	};

	PW_TABLE_TESTS(tests, 1, parse_rows, check_parse);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(parse_rows), name_rows, check_name);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
