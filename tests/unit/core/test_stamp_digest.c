#include "../table.h"

#include <string.h>

#include <openssl/sha.h>

#include "core/stamp_digest.h"

struct row {
	const char *label;
	const char *fields; /* "Name:value" parted by | */
	uint32_t last;
	const char *body, *want; /* what is hashed */
	uint32_t count;
};

#define ALL PW_STAMP_ALL_FIELDS

static struct row rows[] = {
	{ "plain", "From: a@b|Subject:  Hi  there ", ALL, "x\r\n",
	  "from:a@b\r\nsubject:Hi there\r\n\r\nx\r\n", 2 },
	{ "folds", "To: a,\n\tb", ALL, "x\r\n", "to:a, b\r\n\r\nx\r\n", 1 },
	{ "no field, no body", "", ALL, "", "\r\n\r\n", 0 },
	{ "body without line end", "A:1", ALL, "x", "a:1\r\n\r\nx\r\n", 1 },
	{ "empty lines at the end go", "A:1", ALL, "x\r\n\r\n\r\n", "a:1\r\n\r\nx\r\n",
	  1 },
	{ "only empty lines", "A:1", ALL, "\r\n\r\n", "a:1\r\n\r\n\r\n", 1 },
	{ "empty lines inside stay", "A:1", ALL, "\r\n\r\nx\r\n\r\ny\r\n",
	  "a:1\r\n\r\n\r\n\r\nx\r\n\r\ny\r\n", 1 },
	{ "blanks of the body stay", "A:1", ALL, "x \r\n \r\n", "a:1\r\n\r\nx \r\n \r\n",
	  1 },
	{ "CR alone", "A:1", ALL, "x\r\ry\r\n", "a:1\r\n\r\nx\r\ry\r\n", 1 },
	{ "CR CR LF", "A:1", ALL, "x\r\r\n\r\n", "a:1\r\n\r\nx\r\r\n", 1 },
	{ "CR at the end", "A:1", ALL, "x\r\n\r", "a:1\r\n\r\nx\r\n\r\r\n", 1 },
	{ "LF alone at the end", "A:1", ALL, "x\r\n\n", "a:1\r\n\r\nx\r\n\n\r\n", 1 },
	{ "LF alone first", "A:1", ALL, "\n\r\n", "a:1\r\n\r\n\n\r\n", 1 },
	{ "only the last fields", "Received: x|A:1|B:2", 2, "x\r\n",
	  "a:1\r\nb:2\r\n\r\nx\r\n", 2 },
	{ "as many as there are", "A:1|B:2", 2, "x\r\n", "a:1\r\nb:2\r\n\r\nx\r\n", 2 },
	{ "fewer than wanted", "B:2", 2, "x\r\n", "b:2\r\n\r\nx\r\n", 1 },
	{ "none of them", "A:1|B:2", 0, "x\r\n", "\r\nx\r\n", 0 },
	{ "a line end within a field", "A:1|B:2\r\nC:3|D:4", 2, "",
	  "b:2\r\nC:3\r\nd:4\r\n\r\n\r\n", 2 },
};

static void digest(const struct row *row, struct pw_stamp_digest *digest, size_t chunk,
                   uint8_t *out)
{
	struct pw_str fields = pw_str_from(row->fields), body = pw_str_from(row->body);
	uint32_t count;

	pw_stamp_digest_begin(digest, row->last);
	while (fields.at && fields.len > 0) {
		struct pw_str value = pw_str_cut(&fields, '|');
		struct pw_str name = pw_str_cut(&value, ':');

		pw_stamp_digest_field(digest, name, value);
	}
	for (size_t i = 0; i < body.len; i += chunk)
		pw_stamp_digest_body(digest, pw_str_sub(body, i, chunk));
	assert_int_equal(pw_stamp_digest_end(digest, out, &count), PW_OK);
	assert_int_equal(count, row->count);
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_stamp_digest_free) struct pw_stamp_digest *d = NULL;
	uint8_t want[SHA256_DIGEST_LENGTH], got[PW_STAMP_DIGEST];

	SHA256((const unsigned char *)row->want, strlen(row->want), want);
	assert_int_equal(pw_stamp_digest_new(&d), PW_OK);
	for (size_t chunk = 1; chunk < 12; chunk++) {
		digest(row, d, chunk, got);
		assert_memory_equal(got, want, sizeof(got));
	}
}

static void check_limit(void **state)
{
	PW_AUTO(pw_stamp_digest_free) struct pw_stamp_digest *d = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf big = { 0 };
	uint8_t out[PW_STAMP_DIGEST];
	uint32_t count;

	(void)state;
	assert_int_equal(pw_stamp_digest_new(&d), PW_OK);
	for (size_t i = 0; i < PW_STAMP_HEADER_MAX / 4; i++)
		pw_buf_putc(&big, 'x');
	for (int all = 0; all < 2; all++) {
		pw_stamp_digest_begin(d, all ? ALL : 3);
		for (int i = 0; i < 4; i++)
			pw_stamp_digest_field(d, PW_STR("A"), pw_buf_str(&big));
		assert_int_equal(pw_stamp_digest_end(d, out, &count), PW_ERR_LIMIT);
	}
	pw_stamp_digest_begin(d, ALL); /* the next message is another one */
	assert_int_equal(pw_stamp_digest_end(d, out, &count), PW_OK);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		[PW_LEN(rows)] = cmocka_unit_test(check_limit),
	};

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
