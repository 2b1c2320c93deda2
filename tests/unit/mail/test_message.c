#include "../table.h"

#include <string.h>

#include "core/base64.h"
#include "mail/message.h"

#define MIXED "Content-Type: multipart/mixed; boundary=o\r\n\r\n"
#define ENCODED                                                                          \
	"--o\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: "             \
	"base64\r\n\r\n"

static struct pw_arena *arena;

static struct pw_message *read_message(struct pw_str text)
{
	struct pw_message *m = NULL;
	struct pw_header field;

	pw_arena_reset(arena);
	assert_int_equal(pw_message_new(&m, arena), PW_OK);
	while (pw_header_next(&text, &field))
		assert_int_equal(pw_message_field(m, field.name, field.value), PW_OK);
	assert_int_equal(pw_message_eoh(m), PW_OK);
	assert_int_equal(pw_message_body(m, text), PW_OK);
	assert_int_equal(pw_message_end(m), PW_OK);
	return m;
}

static void put_encoded(struct pw_buf *out, struct pw_str message)
{
	pw_buf_puts(out, PW_STR(ENCODED));
	pw_base64_put(out, PW_BASE64, message.at, message.len);
	pw_buf_puts(out, PW_STR("\r\n"));
}

/* One line a part, a blank a level. */
static void put_tree(struct pw_buf *out, const struct pw_message *m)
{
	for (size_t i = 0; i < m->tree_count; i++) {
		const struct pw_mime_part *part = &m->tree[i];

		assert_true(i == 0 || part->parent < i);
		assert_true(i == 0 || part->depth == m->tree[part->parent].depth + 1);
		for (size_t k = 0; k < part->depth; k++)
			pw_buf_putc(out, ' ');
		pw_buf_puts(out, part->type);
		pw_buf_putc(out, '\n');
	}
}

struct row {
	const char *label, *inner; /* a message in base64, before a part of text */
	const char *tree, *text;
};

static struct row rows[] = {
	{ "a message of one part", "Subject: x\r\n\r\nhello",
	  "multipart/mixed\n message/rfc822\n  text/plain\n text/plain\n",
	  "hello\nbehind\n" },
	{ "a message of parts",
	  "Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\nplain\r\n--i"
	  "\r\nContent-Type: text/html\r\n\r\n<p>page\r\n--i--\r\n",
	  "multipart/mixed\n message/rfc822\n  multipart/alternative\n   text/plain\n"
	  "   text/html\n text/plain\n",
	  "plain\npage\n\nbehind\n" },
	{ "what is encoded within stays a leaf",
	  "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	  "DQpoaQ==",
	  "multipart/mixed\n message/rfc822\n  message/rfc822\n text/plain\n",
	  "behind\n" },
	{ "a message without a header", "\r\nhello",
	  "multipart/mixed\n message/rfc822\n  text/plain\n text/plain\n",
	  "hello\nbehind\n" },
};

static void check(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf tree = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf read = { 0 };
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;
	const struct row *row = *state;

	pw_buf_puts(&text, PW_STR(MIXED));
	put_encoded(&text, pw_str_from(row->inner));
	pw_buf_puts(&text, PW_STR("--o\r\n\r\nbehind\r\n--o--\r\n"));
	m = read_message(pw_buf_str(&text));
	put_tree(&tree, m);
	assert_string_equal(pw_buf_text(&tree), row->tree);
	pw_buf_puts(&read, m->text);
	assert_string_equal(pw_buf_text(&read), row->text);
	assert_true((m->mime_flags & PW_MIME_ENCODED_TREE) != 0);
}

/* Ten are looked into. */
static void encoded_messages_are_counted(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;

	(void)state;
	pw_buf_puts(&text, PW_STR(MIXED));
	for (size_t i = 0; i < 30; i++)
		put_encoded(&text, PW_STR("\r\nhello"));
	m = read_message(pw_buf_str(&text));
	assert_int_equal(m->tree_count, 1 + 30 + 10);
}

/* Parts of all of them together have their bound. */
static void parts_of_encoded_messages_are_bounded(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf inner = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf tree = { 0 };
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;

	(void)state;
	pw_buf_puts(&inner, PW_STR(MIXED));
	for (size_t i = 0; i < 600; i++)
		pw_buf_puts(&inner, PW_STR("--o\r\n\r\nx\r\n"));
	pw_buf_puts(&text, PW_STR(MIXED));
	for (size_t i = 0; i < 3; i++)
		put_encoded(&text, pw_buf_str(&inner));
	m = read_message(pw_buf_str(&text));
	put_tree(&tree, m);
	assert_int_equal(m->tree_count, PW_MIME_PARTS_MAX);
	assert_true(m->is_too_deep);
}

/* What is kept of a message of 50 MB is what is kept of one of 1 MB, and costs as much;
 * what the cut took off is no fault of the message. */
static void work_has_its_bound(void **state)
{
	static const char line[] =
		"--o\r\nContent-Type: text/html\r\n\r\n<p>hello</p>\r\n";
	uint64_t steps[2];
	size_t used[2];

	(void)state;
	for (size_t n = 0; n < 2; n++) {
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
		PW_AUTO(pw_message_done) struct pw_message *m = NULL;
		size_t bytes = (n == 0 ? 1 : 50) * (size_t)1100 * 1000;

		pw_buf_init(&text, bytes + 100);
		pw_buf_puts(&text, PW_STR(MIXED));
		while (text.len < bytes)
			pw_buf_puts(&text, pw_str_from(line));
		m = read_message(pw_buf_str(&text));
		assert_true(m->is_body_cut && (m->mime_flags & PW_MIME_NO_END) == 0);
		steps[n] = m->mime_steps;
		used[n] = pw_arena_used(arena);
	}
	assert_true(steps[1] == steps[0] && steps[0] < 5u * 1024 * 1024);
	assert_int_equal(used[0], used[1]);
}

/* Bad input 2: 100,000 fields, and nothing else. */
static void fields_are_counted(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		pw_buf_printf(&text, "X-%u: y\r\n", i);
	m = read_message(pw_buf_str(&text));
	assert_int_equal(m->field_count, PW_MESSAGE_FIELDS_MAX);
	assert_int_equal(m->fields_seen, 100000);
	assert_int_equal(m->tree_count, 1);
}

static int open_arena(void **state)
{
	(void)state;
	return pw_arena_new(&arena, PW_MESSAGE_ARENA_MAX) == PW_OK ? 0 : -1;
}

static int close_arena(void **state)
{
	(void)state;
	pw_arena_free(&arena);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 4] = {
		cmocka_unit_test(encoded_messages_are_counted),
		cmocka_unit_test(parts_of_encoded_messages_are_bounded),
		cmocka_unit_test(work_has_its_bound),
		cmocka_unit_test(fields_are_counted),
	};

	PW_TABLE_TESTS(tests, 4, rows, check);
	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
