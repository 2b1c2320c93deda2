#include "../table.h"

#include "core/buf.h"
#include "core/mime_value.h"

/* What a value gives: "type|boundary|charset|name|filename|evidence"; a text in RFC
 * 2231's form is "charset'bytes". */
struct row {
	const char *label, *value, *expect;
	bool is_disposition;
};

static struct row rows[] = {
	/* RFC 2045 5.1, 5.2 */
	{ "RFC 2045: a type alone", "text/plain", "text/plain|||||", false },
	{ "RFC 2045: a comment", "text/plain; charset=us-ascii (Plain text)",
	  "text/plain||us-ascii|||", false },
	{ "RFC 2045: quoted", "text/plain; charset=\"us-ascii\"",
	  "text/plain||us-ascii|||", false },
	{ "RFC 2045: case", "TEXT/Plain; CHARSET=US-ASCII", "text/plain||US-ASCII|||",
	  false },
	/* RFC 2046 5.1.1 */
	{ "RFC 2046: a boundary with a colon",
	  "multipart/mixed; boundary=\"gc0pJq0M:08jU534c0p\"",
	  "multipart/mixed|gc0pJq0M:08jU534c0p||||", false },
	{ "RFC 2046: the same without quotes",
	  "multipart/mixed; boundary=gc0pJq0M:08jU534c0p",
	  "multipart/mixed|gc0pJq0M:08jU534c0p||||", false },
	/* RFC 2183 3 */
	{ "RFC 2183: inline", "inline", "inline|||||", true },
	{ "RFC 2183: attachment",
	  "attachment; filename=genome.jpeg; modification-date=\"Wed, 12 Feb 1997 "
	  "16:29:51 -0500\";",
	  "attachment||||genome.jpeg|", true },
	/* RFC 2231 3, 4, 4.1 */
	{ "RFC 2231: pieces of another parameter",
	  "message/external-body; access-type=URL; URL*0=\"ftp://\"; "
	  "URL*1=\"cs.utk.edu/\"",
	  "message/external-body|||||", false },
	{ "RFC 2231: charset and language",
	  "application/x-stuff; name*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
	  "application/x-stuff|||us-ascii'This is ***fun***||", false },
	{ "RFC 2231: pieces of both forms",
	  "application/x-stuff; name*0*=us-ascii'en'This%20is%20even%20more%20; "
	  "name*1*=%2A%2A%2Afun%2A%2A%2A%20; name*2=\"isn't it!\"",
	  "application/x-stuff|||us-ascii'This is even more ***fun*** isn't it!||",
	  false },
	{ "pieces out of order", "attachment; filename*1=c.exe; filename*0=ab",
	  "attachment||||abc.exe|", true },
	{ "a boundary in pieces", "multipart/mixed; boundary*0=ab; boundary*1=cd",
	  "multipart/mixed|abcd||||", false },
	{ "the extended one counts",
	  "attachment; filename=a.txt; filename*=utf-8''b%C3%A4",
	  "attachment||||utf-8'b\xc3\xa4|", true },
	{ "a gap in the pieces", "attachment; filename*0=a; filename*2=b",
	  "attachment||||a|pieces", true },
	{ "pieces without the first", "attachment; filename*1=a", "attachment|||||pieces",
	  true },
	{ "a piece twice", "attachment; filename*0=a; filename*0=b",
	  "attachment||||a|pieces", true },
	{ "a piece number too large", "attachment; filename*0=a; filename*64=b",
	  "attachment||||a|pieces", true },
	{ "an extended one without its quotes", "attachment; filename*=a%20b",
	  "attachment||||a b|pieces", true },
	{ "percent that is none", "attachment; filename*=''a%2%zz%4",
	  "attachment||||a%2%zz%4|", true },
	/* As they come. */
	{ "no type", "; charset=utf-8", "||utf-8|||broken", false },
	{ "half a type", "text; charset=utf-8", "||utf-8|||broken", false },
	{ "two slashes", "text/plain/x", "|||||broken", false },
	{ "a type where one word is asked for", "text/plain", "|||||broken", true },
	{ "empty", "", "|||||broken", false },
	{ "a quote that never ends", "a/b; name=\"x.exe", "a/b|||x.exe||broken", false },
	{ "a backslash at the end", "a/b; name=\"x\\", "a/b|||x\\||broken", false },
	{ "quoted pairs", "a/b; name=\"a\\\"b\\\\c\"", "a/b|||a\"b\\c||", false },
	{ "a comment that never ends", "a/b (; name=x", "a/b|||||", false },
	{ "a name with blanks and no quotes", "a/b; name=my report (1).pdf",
	  "a/b|||my report (1).pdf||broken", false },
	{ "a boundary with blanks and no quotes", "a/b; boundary=x y", "a/b|x||||broken",
	  false },
	{ "words of the same length", "a/b; boundary=abc def", "a/b|abc||||broken",
	  false },
	{ "a parameter without a value", "a/b; name; charset=x", "a/b||x|||broken",
	  false },
	{ "a parameter twice, the same", "a/b; name=x; name=x", "a/b|||x||", false },
	{ "a parameter twice", "a/b; name=x; name=y", "a/b|||x||twice", false },
	{ "semicolons in a row", "a/b;;; charset=x;;", "a/b||x|||", false },
	{ "no semicolon behind the type", "a/b charset=x", "a/b||x|||broken", false },
	{ "an empty boundary", "a/b; boundary=\"\"", "a/b|||||", false },
	{ "a semicolon in quotes", "a/b; boundary=\"x;y\"", "a/b|x;y||||", false },
};

static void put_text(struct pw_buf *out, const struct pw_mime_text *text)
{
	pw_buf_putc(out, '|');
	if (text->charset.len > 0) {
		pw_buf_puts(out, text->charset);
		pw_buf_putc(out, '\'');
	}
	pw_buf_puts(out, text->bytes);
}

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_mime_value v;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_mime_value_parse(&v, arena, pw_str_from(row->value),
	                                     !row->is_disposition),
	                 PW_OK);
	pw_buf_puts(&got, v.type);
	for (size_t i = 0; i < PW_MIME_PARAMETERS; i++)
		put_text(&got, &v.parameters[i]);
	pw_buf_putc(&got, '|');
	pw_buf_puts(&got, v.is_broken ? PW_STR("broken") : PW_STR(""));
	pw_buf_puts(&got, v.is_broken_pieces ? PW_STR("pieces") : PW_STR(""));
	pw_buf_puts(&got, v.is_twice ? PW_STR("twice") : PW_STR(""));
	assert_string_equal(pw_buf_text(&got), row->expect);
}

/* Bad input 31: 100 000 pieces, gaps and repeats; what counts is bounded. */
static void pieces_without_end(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_mime_value v;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	pw_buf_puts(&text, PW_STR("attachment"));
	for (int i = 0; i < 100000; i++)
		pw_buf_printf(&text, "; filename*%d*=''%%41", i);
	assert_int_equal(pw_mime_value_parse(&v, arena, pw_buf_str(&text), false), PW_OK);
	assert_true(v.is_long && v.is_broken_pieces);
	assert_int_equal(v.parameters[PW_MIME_FILENAME].bytes.len,
	                 1 + 3 * (PW_MIME_PIECES_MAX - 1));
	assert_true(pw_arena_used(arena) < 10000);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = { cmocka_unit_test(
		pieces_without_end) };

	PW_TABLE_TESTS(tests, 1, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
