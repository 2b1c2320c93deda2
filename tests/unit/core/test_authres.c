#include "../table.h"

#include <string.h>

#include "core/authres.h"

/* Whose is it? The matrix that other filters got wrong (OpenDKIM 148, 185, 434). */
struct from_row {
	const char *label, *value;
	bool is_ours;
};

static struct from_row from_rows[] = {
	/* RFC 8601 appendix B */
	{ "B.2: none", " mx.example.test 1; none", true },
	{ "B.3: a result",
	  " mx.example.test;\n          spf=pass smtp.mailfrom=example.net", true },
	{ "another host", " other.test; spf=pass", false },
	/* ugly */
	{ "odd case", " MX.Example.TEST; spf=pass", true },
	{ "no blank", "mx.example.test;spf=pass", true },
	{ "folded before the name", "\r\n\tmx.example.test;\r\n spf=pass", true },
	{ "version", " mx.example.test 1; spf=pass", true },
	{ "comment before the name",
	  " (a (nested) \\) comment) mx.example.test; spf=pass", true },
	{ "comment behind the name", " mx.example.test(x); spf=pass", true },
	{ "quoted name", " \"mx.example.test\"; spf=pass", true },
	{ "quoted, with a pair", " \"mx.ex\\ample.test\"; none", true },
	{ "final dot", " mx.example.test.; none", true },
	{ "nothing behind the name", " mx.example.test", true },
	{ "broken behind the name", " mx.example.test/1; none", true },
	{ "open comment", " (mx.example.test; none", true },
	{ "open comment before a name", " ( mx.example.test; none", true },
	{ "NUL before the name", " \001mx.example.test; none", true },
	{ "look-alike: longer", " mx.example.test.evil.test; none", false },
	{ "look-alike: prefixed", " amx.example.test; none", false },
	{ "look-alike: hyphen", " mx.example.test-evil; none", false },
	{ "look-alike: 8-bit", " mx.example.test\xc3\xa4; none", false },
	{ "shorter", " example.test; none", false },
	{ "name in a comment only", " other.test (mx.example.test); none", false },
	{ "name in a result only", " other.test; spf=pass smtp.helo=mx.example.test",
	  false },
	{ "quoted, longer", " \"mx.example.test.evil\"; none", false },
	{ "empty", "", false },
	{ "blanks", " \r\n\t ", false },
};

static void check_from(void **state)
{
	const struct from_row *row = *state;

	assert_int_equal(
		pw_authres_is_from(pw_str_from(row->value), PW_STR("mx.example.test")),
		row->is_ours);
	assert_int_equal(
		pw_authres_is_from(pw_str_from(row->value), PW_STR("mx.example.test.")),
		row->is_ours);
}

static void long_forgery_is_ours(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

	(void)state;
	pw_buf_putc(&value, '(');
	for (int i = 0; i < 20000; i++)
		pw_buf_puts(&value, PW_STR("long "));
	pw_buf_puts(&value, PW_STR(")\r\n mx.example.test; spf=pass"));
	assert_true(pw_authres_is_from(pw_buf_str(&value), PW_STR("mx.example.test")));
}

/* What is written: whatever a stranger puts into a value stays in its place. */
struct put_row {
	const char *label, *value, *text;
};

static struct put_row put_rows[] = {
	{ "address", "ann@example.org",
	  "mx.test;\n\tspf=pass smtp.mailfrom=ann@example.org" },
	{ "domain", "example.org", "mx.test;\n\tspf=pass smtp.mailfrom=example.org" },
	{ "blank is quoted", "a b", "mx.test;\n\tspf=pass smtp.mailfrom=\"a b\"" },
	{ "empty is quoted", "", "mx.test;\n\tspf=pass smtp.mailfrom=\"\"" },
	{ "semicolon is quoted", "a; dmarc=pass",
	  "mx.test;\n\tspf=pass smtp.mailfrom=\"a; dmarc=pass\"" },
	{ "quote is escaped", "a\" dmarc=pass",
	  "mx.test;\n\tspf=pass smtp.mailfrom=\"a\\\" dmarc=pass\"" },
	{ "comment is quoted", "a(b", "mx.test;\n\tspf=pass smtp.mailfrom=\"a(b\"" },
	{ "line end never", "a\r\nX-Spam: No",
	  "mx.test;\n\tspf=pass smtp.mailfrom=\"a??X-Spam: No\"" },
	{ "escape never", "a\033[31m", "mx.test;\n\tspf=pass smtp.mailfrom=\"a?[31m\"" },
	{ "UTF-8 stays", "\xc3\xa4@b.test",
	  "mx.test;\n\tspf=pass smtp.mailfrom=\"\xc3\xa4@b.test\"" },
};

static void check_put(void **state)
{
	const struct put_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_authres_result result = { .method = PW_STR("spf"),
		                            .result = PW_STR("pass") };

	result.properties[0].name = PW_STR("smtp.mailfrom");
	result.properties[0].value = pw_str_from(row->value);
	pw_authres_put(&out, PW_STR("mx.test"), &result, 1);
	assert_int_equal(pw_buf_status(&out), PW_OK);
	assert_string_equal(pw_buf_text(&out), row->text);
}

static void nothing_is_none(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	pw_authres_put(&out, PW_STR("mx.test"), NULL, 0);
	assert_string_equal(pw_buf_text(&out), "mx.test; none");
}

static void lines_are_folded_and_values_cut(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	char text[1000];
	struct pw_authres_result result = { .method = PW_STR("dkim"),
		                            .result = PW_STR("fail"),
		                            .reason = PW_STR("body hash mismatch") };

	(void)state;
	memset(text, 'a', sizeof(text));
	result.properties[0].name = PW_STR("header.d");
	result.properties[0].value = (struct pw_str){ text, sizeof(text) };
	pw_authres_put(&out, PW_STR("mx.test"), &result, 1);
	assert_int_equal(out.len,
	                 strlen("mx.test;\n\tdkim=fail reason=\"body hash mismatch\"\n\t"
	                        "header.d=") +
	                         PW_AUTHRES_VALUE_MAX);
	assert_true(pw_authres_is_from(pw_buf_str(&out), PW_STR("mx.test")));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(from_rows) + PW_LEN(put_rows) + 3] = {
		cmocka_unit_test(long_forgery_is_ours),
		cmocka_unit_test(nothing_is_none),
		cmocka_unit_test(lines_are_folded_and_values_cut),
	};

	PW_TABLE_TESTS(tests, 3, from_rows, check_from);
	PW_TABLE_TESTS(tests, 3 + PW_LEN(from_rows), put_rows, check_put);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
