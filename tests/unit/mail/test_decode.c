#include "../table.h"

#include <string.h>

#include "mail/decode.h"

struct row {
	const char *label, *charset, *text, *utf8;
};

static struct row charset_rows[] = {
	{ "no charset", "", "gr\xc3\xbc\xdf", "gr\xc3\xbc\xdf" },
	{ "UTF-8 stays, broken or not", "utf-8", "\xc3\xbc\xff", "\xc3\xbc\xff" },
	{ "one that nobody knows", "x-mine", "\xfc", "\xfc" },
	{ "Latin 1", "iso-8859-1", "gr\xfc\xdf", "gr\xc3\xbc\xc3\x9f" },
	{ "quotes of Windows in Latin 1", "iso-8859-1", "\x93x\x94",
	  "\xe2\x80\x9cx\xe2\x80\x9d" },
	{ "ASCII that is UTF-8", "us-ascii", "\xc3\xbc", "\xc3\xbc" },
	{ "ASCII that is not", "us-ascii", "\xfc", "\xc3\xbc" },
	{ "Korean", "ks_c_5601-1987", "\xbb\xe7\xc1\xf8", "\xec\x82\xac\xec\xa7\x84" },
	{ "Japanese", "x-sjis", "\x82\xa0", "\xe3\x81\x82" },
	{ "Japanese by escapes", "iso-2022-jp", "\033$B4A\033(B", "\xe6\xbc\xa2" },
	{ "Chinese with more than GB 2312", "gb2312", "\x81\x40", "\xe4\xb8\x82" },
	{ "a character held back until the end", "big5", "\x88\x62", "\xc3\x8a\xcc\x84" },
	{ "a letter that waits for its accent", "windows-1258", "a", "a" },
	{ "half a character at the end", "x-sjis", "\x82", "\x82" },
	{ "a byte that the charset has not", "koi8-r//IGNORE", "\xc1", "\xc1" },
};

static void check_charset(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	const struct row *row = *state;

	pw_decode_charset(&out, pw_str_from(row->charset), pw_str_from(row->text));
	assert_string_equal(pw_buf_text(&out), row->utf8);
}

static struct row word_rows[] = {
	{ "RFC 2047 8: one word", NULL, "=?ISO-8859-1?Q?a?=", "a" },
	{ "RFC 2047 8: a word and text", NULL, "=?ISO-8859-1?Q?a?= b", "a b" },
	{ "RFC 2047 8: blanks between words", NULL,
	  "=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab" },
	{ "RFC 2047 8: a blank that is meant", NULL, "=?ISO-8859-1?Q?a_b?=", "a b" },
	{ "a character cut by two words", NULL,
	  "=?utf-8?B?ww==?= =?utf-8?B?vA==?=", "\xc3\xbc" },
	{ "a sign at the end", NULL, "=?utf-8?Q?a=?=", "a=" },
	{ "a language behind the charset", NULL, "=?iso-8859-1*en?Q?=FC?=", "\xc3\xbc" },
	{ "bad input 30: a charset that nobody knows", NULL,
	  "=?nosuch?B?/A==?=", "\xfc" },
	{ "bad input 30: no end", NULL, "=?utf-8?B?QUJD", "=?utf-8?B?QUJD" },
	{ "bad input 30: no encoding", NULL, "=?utf-8?X?QUJD?=", "=?utf-8?X?QUJD?=" },
};

static void check_words(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	const struct row *row = *state;

	pw_decode_words(&out, pw_str_from(row->text), NULL);
	assert_string_equal(pw_buf_text(&out), row->utf8);
}

/* A NUL inside of a word is a byte. */
static void nul_inside_a_word(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	pw_decode_words(&out, PW_STR("=?utf-8?B?YQBi?="), NULL);
	assert_int_equal(out.len, 3);
	assert_memory_equal(out.at, "a\0b", 3);
}

static void encodings(void **state)
{
	static const struct {
		void (*decode)(struct pw_buf *out, struct pw_str text);
		const char *text, *decoded;
	} cases[] = {
		{ pw_decode_base64, "QUJD\r\nREU=", "ABCDE" },
		{ pw_decode_base64, "Q U!J D", "ABC" },
		{ pw_decode_base64, "QQ==QUJD", "AABC" },
		{ pw_decode_base64, "QUJDQ", "ABC" },
		{ pw_decode_base64, "====", "" },
		{ pw_decode_uu, "begin 644 a\r\n#86)C\r\n`\r\nend\r\n", "abc" },
		{ pw_decode_uu, "text\nbegin 644 a\n#86)C\n#86)C\nend\n#86)C", "abcabc" },
		{ pw_decode_uu, "begin 644 a\nM86)C\n", "abc" },
		{ pw_decode_uu, "begin 644 a\n#86", "a`" },
		{ pw_decode_uu, "#86)C\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(cases); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

		cases[i].decode(&out, pw_str_from(cases[i].text));
		assert_string_equal(pw_buf_text(&out), cases[i].decoded);
	}
}

static void quoted_printable(void **state)
{
	static const char *const cases[][2] = {
		{ "a=3Db", "a=b" }, { "a=\r\nb", "ab" }, { "a= \t\nb", "ab" },
		{ "a=zb", "a=zb" }, { "a_b", "a_b" },    { "a=", "a" },
		{ "a=3", "a=3" },   { "a= ", "a" },      { "=c3=BC", "\xc3\xbc" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(cases); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

		pw_decode_qp(&out, pw_str_from(cases[i][0]), false);
		assert_string_equal(pw_buf_text(&out), cases[i][1]);
	}
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(charset_rows) + PW_LEN(word_rows) + 3] = {
		cmocka_unit_test(nul_inside_a_word),
		cmocka_unit_test(encodings),
		cmocka_unit_test(quoted_printable),
	};

	PW_TABLE_TESTS(tests, 3, charset_rows, check_charset);
	PW_TABLE_TESTS(tests, 3 + PW_LEN(charset_rows), word_rows, check_words);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
