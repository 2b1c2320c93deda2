#include "../table.h"

#include <string.h>

#include "core/base64.h"

struct row {
	const char *label;
	enum pw_base64 kind;
	const char *bytes, *text;
};

static struct row rows[] = {
	/* RFC 4648 10 */
	{ "nothing", PW_BASE64, "", "" },
	{ "f", PW_BASE64, "f", "Zg==" },
	{ "fo", PW_BASE64, "fo", "Zm8=" },
	{ "foo", PW_BASE64, "foo", "Zm9v" },
	{ "foob", PW_BASE64, "foob", "Zm9vYg==" },
	{ "fooba", PW_BASE64, "fooba", "Zm9vYmE=" },
	{ "foobar", PW_BASE64, "foobar", "Zm9vYmFy" },
	{ "url: no padding", PW_BASE64_URL, "foob", "Zm9vYg" },
	{ "url: two no padding", PW_BASE64_URL, "fooba", "Zm9vYmE" },
	{ "62 and 63", PW_BASE64, "\xfb\xff\xbf", "+/+/" },
	{ "url: 62 and 63", PW_BASE64_URL, "\xfb\xff\xbf", "-_-_" },
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	size_t len = strlen(row->bytes);
	char back[16];

	pw_base64_put(&out, row->kind, row->bytes, len);
	assert_string_equal(pw_buf_text(&out), row->text);
	assert_int_equal(pw_base64_get(back, len, row->kind, pw_buf_str(&out)), PW_OK);
	assert_memory_equal(back, row->bytes, len);
}

struct bad_row {
	const char *label;
	enum pw_base64 kind;
	size_t len;
	const char *text;
};

static struct bad_row bad_rows[] = {
	{ "too short", PW_BASE64, 3, "Zm9" },
	{ "too long", PW_BASE64, 3, "Zm9vZ" },
	{ "of another length", PW_BASE64, 3, "Zm9vYg==" },
	{ "padding missing", PW_BASE64, 1, "Zg" },
	{ "padding of another kind", PW_BASE64, 1, "Zg=-" },
	{ "url: padded", PW_BASE64_URL, 1, "Zg==" },
	{ "bits of no meaning", PW_BASE64, 1, "Zh==" },
	{ "url: bits of no meaning", PW_BASE64_URL, 2, "Zm9" },
	{ "the other alphabet", PW_BASE64, 3, "-_-_" },
	{ "url: the other alphabet", PW_BASE64_URL, 3, "+/+/" },
	{ "a blank", PW_BASE64, 3, "Zm9 " },
};

static void check_bad(void **state)
{
	const struct bad_row *row = *state;
	char back[16];

	assert_int_equal(pw_base64_get(back, row->len, row->kind, pw_str_from(row->text)),
	                 PW_ERR_SYNTAX);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + PW_LEN(bad_rows)];

	PW_TABLE_TESTS(tests, 0, rows, check);
	PW_TABLE_TESTS(tests, PW_LEN(rows), bad_rows, check_bad);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
