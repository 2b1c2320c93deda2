#include "../table.h"

#include <string.h>

#include "core/header.h"
#include "core/mime.h"
#include "core/mime_body.h"

/* A message, and its tree: one line a part, a blank a level, "type body-length evidence".
 */
struct row {
	const char *label, *message, *tree;
};

#define INNER                                                                            \
	"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"                       \
	"Content-Type: multipart/alternative; boundary=i\r\n\r\n"

static struct row rows[] = {
	/* RFC 2046 5.1.1, the example without its comments */
	{ "RFC 2046 5.1.1: two parts, preamble and epilogue",
	  "Content-type: multipart/mixed; boundary=\"simple boundary\"\r\n\r\n"
	  "This is the preamble.\r\n\r\n--simple boundary\r\n\r\n"
	  "This part does not end with a linebreak.\r\n--simple boundary\r\n"
	  "Content-type: text/plain; charset=us-ascii\r\n\r\n"
	  "This part does end with a linebreak.\r\n\r\n--simple boundary--\r\n\r\n"
	  "This is the epilogue.\r\n",
	  "multipart/mixed 239\n text/plain 40\n text/plain 38\n" },
	{ "RFC 2046 5.1.5: a digest holds messages",
	  "Content-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nFrom: a\r\n"
	  "Subject: b\r\n\r\nbody\r\n--x--\r\n",
	  "multipart/digest 43\n message/rfc822 27\n  text/plain 4\n" },
	{ "RFC 2046 5.2.1: a message inside",
	  "Content-Type: message/rfc822\r\n\r\nContent-Type: text/html\r\n\r\n<p>x",
	  "message/rfc822 31\n text/html 4\n" },
	{ "no MIME at all", "Subject: x\r\n\r\nbody\r\n", "text/plain 6\n" },
	{ "no body", "Subject: x\r\n\r\n", "text/plain 0\n" },
	{ "no body behind a boundary",
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b\r\n"
	  "--b\r\n\r\n--b--",
	  "multipart/mixed 36\n a/b 0\n text/plain 0\n" },
	{ "blanks behind a boundary",
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \t\r\n\r\nx\r\n--b-- "
	  "\r\n",
	  "multipart/mixed 20\n text/plain 1\n" },
	{ "bare LF alone is no evidence",
	  "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n",
	  "multipart/mixed 13\n text/plain 1\n" },
	{ "a boundary that another begins with",
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	  "Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\nx\r\n--bb--\r\n"
	  "--b--\r\n",
	  "multipart/mixed 77\n multipart/mixed 19\n  text/plain 1\n" },
	{ "the same boundary within: the inner one takes it",
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
	  "multipart/mixed 67 no-end\n multipart/mixed 17\n  text/plain 1\n" },
	{ "a line From before an attached message",
	  "Content-Type: message/rfc822\r\n\r\nFrom a@b Mon\r\nSubject: x\r\n\r\ny",
	  "message/rfc822 29\n text/plain 1\n" },
	/* malformed, each kind */
	{ "no final boundary",
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx",
	  "multipart/mixed 8 no-end\n text/plain 1\n" },
	{ "an outer boundary ends the inner parts", INNER "--i\r\n\r\nx\r\n--o--\r\n",
	  "multipart/mixed 73\n multipart/alternative 8 no-end\n  text/plain 1\n" },
	{ "no boundary parameter", "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx",
	  "multipart/mixed 8 no-boundary\n" },
	{ "an empty boundary",
	  "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx",
	  "multipart/mixed 7 no-boundary\n" },
	{ "a boundary that never comes",
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n--c\r\n",
	  "multipart/mixed 8 no-parts\n" },
	{ "a look-alike",
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--bx\r\n--b\r\n\r\n--b--",
	  "multipart/mixed 18 look-alike\n text/plain 0\n" },
	{ "a part behind the final boundary",
	  "Content-Type: multipart/mixed; "
	  "boundary=b\r\n\r\n--b\r\n\r\n--b--\r\n--b\r\n\r\nx",
	  "multipart/mixed 22 after-end\n text/plain 0\n" },
	{ "a boundary of 71 bytes",
	  "Content-Type: multipart/mixed; boundary="
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r"
	  "\n"
	  "--"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r"
	  "\n"
	  "--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa--",
	  "multipart/mixed 152 long-boundary\n text/plain 0\n" },
	{ "Content-Type cannot be read", "Content-Type: text\r\n\r\nx",
	  "text/plain 1 broken-type broken-value\n" },
	{ "Content-Type twice", "Content-Type: text/html\r\nContent-Type: a/b\r\n\r\nx",
	  "text/html 1 twice\n" },
	{ "Content-Transfer-Encoding twice",
	  "Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 7bit\r\n\r\nx",
	  "text/plain 1 twice\n" },
	{ "a header that no empty line ends",
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: b\r\nno "
	  "field\r\n--b--",
	  "multipart/mixed 26\n text/plain 8 no-empty-line\n" },
	{ "8-bit under 7bit", "A: b\r\n\r\nx\xff", "text/plain 2 8bit-in-7bit\n" },
	{ "8-bit under 8bit", "Content-Transfer-Encoding: 8bit\r\n\r\nx\xff",
	  "text/plain 2\n" },
	{ "a bare CR", "A: b\r\n\r\nx\ry", "text/plain 3 bare-cr\n" },
	{ "a bare LF beside CRLF", "A: b\r\n\r\nx\r\ny\n", "text/plain 5 bare-lf\n" },
	{ "base64", "Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\nQQ==\r\n",
	  "text/plain 12\n" },
	{ "base64 with other letters", "Content-Transfer-Encoding: base64\r\n\r\nQU-JD",
	  "text/plain 5 broken-base64\n" },
	{ "base64 without its padding", "Content-Transfer-Encoding: base64\r\n\r\nQUJDQQ",
	  "text/plain 6 broken-base64\n" },
	{ "base64 behind its padding",
	  "Content-Transfer-Encoding: base64\r\n\r\nQQ==QUJD",
	  "text/plain 8 broken-base64\n" },
	{ "bad input 15: a flood of =",
	  "Content-Transfer-Encoding: base64\r\n\r\n========",
	  "text/plain 8 broken-base64\n" },
	{ "quoted-printable",
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\na=3D=\r\nb=",
	  "text/plain 9\n" },
	{ "quoted-printable that is none",
	  "Content-Transfer-Encoding: quoted-printable\r\n\r\na=zz",
	  "text/plain 4 broken-qp\n" },
	{ "uuencode", "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n#86)C",
	  "text/plain 18\n" },
	{ "an encoding nobody knows", "Content-Transfer-Encoding: rot13\r\n\r\nx",
	  "text/plain 1 bad-encoding\n" },
	{ "an encoded multipart is walked as it stands",
	  "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64"
	  "\r\n\r\n--b\r\n\r\nx\r\n--b--",
	  "multipart/mixed 15 encoded-tree\n text/plain 1\n" },
	{ "an encoded message is a leaf",
	  "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD",
	  "message/rfc822 4 encoded-tree\n" },
	{ "message/partial", "Content-Type: message/partial; id=x; number=1\r\n\r\nx",
	  "message/partial 1 partial\n" },
	{ "message/external-body", "Content-Type: message/external-body\r\n\r\nx",
	  "message/external-body 1 external\n" },
	{ "two names",
	  "Content-Type: a/b; name=x.pdf\r\nContent-Disposition: attachment; "
	  "filename=x.exe\r\n\r\nx",
	  "a/b 1 names-differ\n" },
	{ "an encoded word as a name",
	  "Content-Type: a/b; name=\"=?utf-8?q?x?=\"\r\n\r\nx", "a/b 1 encoded-name\n" },
};

static const char *check_spans(struct pw_mime *walk, size_t len)
{
	struct pw_mime_span span;
	size_t at = 0;

	while (pw_mime_next(walk, &span)) {
		if (span.at != at || span.len == 0)
			return "a span does not follow the one before";
		at += span.len;
	}
	return at == len ? NULL : "spans do not cover the body";
}

static void put_tree(struct pw_buf *out, const struct pw_mime *walk)
{
	size_t count;
	const struct pw_mime_part *parts = pw_mime_parts(walk, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t n = 0; n < parts[i].depth; n++)
			pw_buf_putc(out, ' ');
		pw_buf_puts(out, parts[i].type);
		pw_buf_printf(out, " %zu", parts[i].body.len);
		for (int bit = 0; bit < PW_MIME_BITS; bit++)
			if ((parts[i].flags >> bit & 1) != 0)
				pw_buf_printf(
					out, " %s",
					pw_mime_flag_text((enum pw_mime_flag_bit)bit));
		pw_buf_putc(out, '\n');
	}
}

/* A walk over a whole message, begun. */
static struct pw_mime *begin(struct pw_arena *arena, struct pw_str message, size_t *len)
{
	struct pw_mime *walk = NULL;
	struct pw_header field;

	assert_int_equal(pw_mime_new(&walk, arena), PW_OK);
	while (pw_header_next(&message, &field))
		assert_int_equal(pw_mime_field(walk, field.name, field.value), PW_OK);
	*len = message.len;
	pw_mime_begin(walk, message);
	return walk;
}

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf tree = { 0 };
	struct pw_mime *walk;
	const char *why;
	size_t len;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	walk = begin(arena, pw_str_from(row->message), &len);
	why = check_spans(walk, len);
	assert_null(why);
	assert_int_equal(pw_mime_status(walk), PW_OK);
	put_tree(&tree, walk);
	assert_string_equal(pw_buf_text(&tree), row->tree);
}

/* Bad input 8: NUL in the body is evidence and ends nothing. */
static void nul_is_a_byte(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_mime *walk;
	size_t len;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	walk = begin(arena, PW_STR("A: b\r\n\r\nx\0y"), &len);
	assert_null(check_spans(walk, len));
	assert_int_equal(len, 3);
	assert_int_equal(pw_mime_flags(walk), PW_MIME_NUL);
}

/* Which kind each run of bytes has. */
static void kinds_of_spans(void **state)
{
	static const char text[] = "Content-Type: multipart/mixed; "
				   "boundary=b\r\n\r\npre\r\n--b\r\nA: b\r\n\r\nx\r\n"
				   "--b--\r\npost";
	static const struct {
		enum pw_mime_kind kind;
		size_t part, len;
	} expect[] = {
		{ PW_MIME_PREAMBLE, 0, 3 },      { PW_MIME_BOUNDARY_LINE, 0, 7 },
		{ PW_MIME_HEADER, 1, 8 },        { PW_MIME_BODY, 1, 1 },
		{ PW_MIME_BOUNDARY_LINE, 0, 9 }, { PW_MIME_EPILOGUE, 0, 4 },
	};
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_mime_span span;
	struct pw_mime *walk;
	size_t len, n = 0;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	walk = begin(arena, PW_STR(text), &len);
	for (; pw_mime_next(walk, &span); n++) {
		assert_true(n < PW_LEN(expect));
		assert_int_equal(span.kind, expect[n].kind);
		assert_int_equal(span.part, expect[n].part);
		assert_int_equal(span.len, expect[n].len);
	}
	assert_int_equal(n, PW_LEN(expect));
}

/* Sizes with the transfer encoding undone. */
static void decoded_lengths(void **state)
{
	static const struct {
		enum pw_mime_encoding encoding;
		const char *text;
		size_t len;
	} expect[] = {
		{ PW_MIME_7BIT, "abc\r\n", 5 },
		{ PW_MIME_BASE64, "QUJD\r\nQQ==\r\n", 4 },
		{ PW_MIME_BASE64, "QQ==QUJD", 4 },
		{ PW_MIME_BASE64, "", 0 },
		{ PW_MIME_QP, "a=3Db=\r\nc=  \nd", 5 },
		{ PW_MIME_QP, "a=zb", 4 },
		{ PW_MIME_QP, "a=", 1 },
		{ PW_MIME_UU, "begin 644 a\r\n#86)C\r\n`\r\nend\r\n", 3 },
		{ PW_MIME_UU, "86)C", 0 },
		{ PW_MIME_QP, "a= \t", 1 },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(expect); i++) {
		struct pw_mime_bytes bytes;

		pw_mime_bytes_scan(&bytes, expect[i].encoding,
		                   pw_str_from(expect[i].text));
		assert_int_equal(bytes.decoded_len, expect[i].len);
	}
}

/* Shapes that a stranger can make as large as he likes. */
enum shape {
	NESTED,
	MESSAGES,
	SIBLINGS,
	LOOK_ALIKES,
	DASHES,
	DEEP_DASHES,
	HEADERS,
	SHAPES
};

static void put_shape(struct pw_buf *b, enum shape shape, size_t size)
{
	pw_buf_puts(b,
	            PW_STR("Content-Type: multipart/mixed; boundary=b0\r\n\r\n--b0\r\n"));
	if (shape == DEEP_DASHES)
		for (int i = 1; i < PW_MIME_DEPTH_MAX; i++)
			pw_buf_printf(b,
			              "Content-Type: multipart/mixed; "
			              "boundary=\"%060d\"\r\n\r\n"
			              "--%060d\r\n",
			              i, i);
	for (int i = 1; b->len < size; i++) {
		if (shape == NESTED)
			pw_buf_printf(
				b,
				"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n"
				"--b%d\r\n",
				i, i);
		else if (shape == MESSAGES)
			pw_buf_puts(b, PW_STR("Content-Type: message/rfc822\r\n\r\n"));
		else if (shape == SIBLINGS)
			pw_buf_puts(b, PW_STR("\r\nx\r\n--b0\r\n"));
		else if (shape == LOOK_ALIKES)
			pw_buf_puts(b, PW_STR("\r\n--b0x"));
		else if (shape == DASHES)
			pw_buf_puts(b, PW_STR("\r\n--"));
		else if (shape == DEEP_DASHES)
			pw_buf_printf(b, "\r\n--%060d", 0);
		else
			pw_buf_printf(b, "A%d: b\r\n", i);
	}
}

static uint64_t steps_of(enum shape shape, size_t size, uint32_t *flags, size_t *parts)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_mime *walk;
	size_t len;

	assert_int_equal(pw_arena_new(&arena, 4 * 1024 * 1024), PW_OK);
	put_shape(&text, shape, size);
	walk = begin(arena, pw_buf_str(&text), &len);
	assert_null(check_spans(walk, len));
	assert_int_equal(pw_mime_status(walk), PW_OK);
	*flags = pw_mime_flags(walk);
	(void)pw_mime_parts(walk, parts);
	return pw_mime_steps(walk);
}

/* Bad input 4: nesting, siblings, boundaries that are none. 50 MB cost 50 times what 1 MB
 * costs, and memory has its bound. */
static void work_grows_with_the_body(void **state)
{
	static const struct {
		uint32_t flags;
		size_t parts;
	} expect[SHAPES] = {
		[NESTED] = { PW_MIME_TOO_DEEP, PW_MIME_DEPTH_MAX + 1 },
		[MESSAGES] = { PW_MIME_TOO_DEEP, PW_MIME_DEPTH_MAX + 1 },
		[SIBLINGS] = { PW_MIME_TOO_MANY, PW_MIME_PARTS_MAX },
		[LOOK_ALIKES] = { PW_MIME_LOOK_ALIKE, 2 },
		[DASHES] = { PW_MIME_NO_END, 2 },
		[DEEP_DASHES] = { PW_MIME_NO_END, PW_MIME_DEPTH_MAX + 1 },
		[HEADERS] = { PW_MIME_LONG_HEADER, 2 },
	};
	const size_t mega = 1000 * 1000;

	(void)state;
	for (enum shape shape = NESTED; shape < SHAPES; shape++) {
		uint32_t flags;
		size_t parts;
		uint64_t one = steps_of(shape, mega, &flags, &parts);
		uint64_t fifty = steps_of(shape, 50 * mega, &flags, &parts);

		assert_true((flags & expect[shape].flags) != 0);
		assert_int_equal(parts, expect[shape].parts);
		assert_true(fifty < one * 51);
		assert_true(one < 130 * mega);
	}
}

/* Bad input 4: a boundary of more than 2048 bytes is known by its first 2048. */
static void boundary_beyond_the_limit(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_mime *walk;
	size_t len, parts;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	pw_buf_printf(
		&text,
		"Content-Type: multipart/mixed; boundary=%03000d\r\n\r\n--%03000d\r\n"
		"\r\nx\r\n--%03000d--\r\n",
		0, 0, 0);
	walk = begin(arena, pw_buf_str(&text), &len);
	assert_null(check_spans(walk, len));
	(void)pw_mime_parts(walk, &parts);
	assert_true(parts >= 2 && (pw_mime_flags(walk) & PW_MIME_LONG_BOUNDARY) != 0);
}

static void memory_that_ends_is_an_error(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_mime_span span;
	struct pw_mime *walk;
	size_t len;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 32 * 1024), PW_OK);
	put_shape(&text, SIBLINGS, 100000);
	walk = begin(arena, pw_buf_str(&text), &len);
	while (pw_mime_next(walk, &span))
		;
	assert_int_equal(pw_mime_status(walk), PW_ERR_NOMEM);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 6] = {
		cmocka_unit_test(nul_is_a_byte),
		cmocka_unit_test(kinds_of_spans),
		cmocka_unit_test(decoded_lengths),
		cmocka_unit_test(work_grows_with_the_body),
		cmocka_unit_test(boundary_beyond_the_limit),
		cmocka_unit_test(memory_that_ends_is_an_error),
	};

	PW_TABLE_TESTS(tests, 6, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
