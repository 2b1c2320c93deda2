#include "../table.h"

#include <stdlib.h>
#include <string.h>

#include "policyd/map_text.h"

struct row {
	const char *label;
	struct pw_str bytes;
	enum pw_status status;
	size_t length; /* 0 = not complete */
	const char *table, *key;
};

/* clang-format off */
static struct row rows[] = {
	{ "a domain",            PW_STR("19:domains example.org,"), PW_OK, 23, "domains", "example.org" },
	{ "two at once",         PW_STR("3:a b,3:c d,"), PW_OK, 6, "a", "b" },
	{ "blanks in the key",   PW_STR("15:aliases \"a b\"@c,"), PW_OK, 19, "aliases", "\"a b\"@c" },
	{ "an empty key",        PW_STR("8:domains ,"), PW_OK, 11, "domains", "" },
	{ "an empty name",       PW_STR("2: x,"), PW_OK, 5, "", "x" },
	{ "bytes above 127",     PW_STR("5:a \xc3\xa9x,"), PW_OK, 8, "a", "\xc3\xa9x" },
	{ "commas and colons",   PW_STR("7:a ,:1:,,"), PW_OK, 10, "a", ",:1:," },
	{ "not whole",           PW_STR("3:a b"), PW_OK, 0, NULL, NULL },
	{ "the number alone",    PW_STR("100000"), PW_OK, 0, NULL, NULL },
	{ "nothing",             PW_STR(""), PW_OK, 0, NULL, NULL },
	{ "no blank",            PW_STR("7:domains,"), PW_ERR_SYNTAX, 0, NULL, NULL },
	{ "nothing in it",       PW_STR("0:,"), PW_ERR_SYNTAX, 0, NULL, NULL },
	{ "no comma",            PW_STR("3:a b;"), PW_ERR_SYNTAX, 0, NULL, NULL },
	{ "longer than it says", PW_STR("3:a bc,"), PW_ERR_SYNTAX, 0, NULL, NULL },
	{ "NUL",                 PW_STR("4:a b\0,"), PW_ERR_SYNTAX, 0, NULL, NULL },
	{ "a zero in front",     PW_STR("03:a b,"), PW_ERR_SYNTAX, 0, NULL, NULL },
	{ "no number",           PW_STR(":a b,"), PW_ERR_SYNTAX, 0, NULL, NULL },
	{ "negative",            PW_STR("-3:a b,"), PW_ERR_SYNTAX, 0, NULL, NULL },
	{ "another protocol",    PW_STR("get x\n"), PW_ERR_SYNTAX, 0, NULL, NULL },
	{ "too long",            PW_STR("100001:"), PW_ERR_LIMIT, 0, NULL, NULL },
	{ "far too long",        PW_STR("99999999999999999999999"), PW_ERR_LIMIT, 0, NULL, NULL },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;
	struct map_request request = { 0 };
	size_t length = 77;

	assert_int_equal(map_request_read(&request, &length, row->bytes), row->status);
	assert_int_equal(length, row->length);
	if (row->length == 0)
		return;
	assert_true(pw_str_eq(request.table, pw_str_from(row->table)));
	assert_true(pw_str_eq(request.key, pw_str_from(row->key)));
}

static void split_at_every_byte(void **state)
{
	struct pw_str bytes = PW_STR("29:mailboxes ann@example.test,xx,3:a b,");
	struct map_request request;
	size_t length;

	(void)state;
	for (size_t cut = 0; cut < 33; cut++) {
		assert_int_equal(
			map_request_read(&request, &length, pw_str_sub(bytes, 0, cut)),
			PW_OK);
		assert_int_equal(length, 0);
	}
	assert_int_equal(map_request_read(&request, &length, pw_str_sub(bytes, 0, 33)),
	                 PW_OK);
	assert_int_equal(length, 33);
}

static void the_longest(void **state)
{
	char *bytes = malloc(MAP_REQUEST_MAX);
	struct map_request request;
	size_t length;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', MAP_REQUEST_MAX);
	memcpy(bytes, "100000:domains ", 15);
	bytes[MAP_REQUEST_MAX - 1] = ',';
	assert_int_equal(map_request_read(&request, &length,
	                                  (struct pw_str){ bytes, MAP_REQUEST_MAX }),
	                 PW_OK);
	assert_int_equal(length, MAP_REQUEST_MAX);
	assert_int_equal(request.key.len, 100000 - 8);
	free(bytes);
}

static void answers(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 }, text = { 0 };

	(void)state;
	assert_int_equal(map_answer_put(&out, MAP_OK, PW_STR("ann@example.test")),
	                 MAP_OK);
	assert_int_equal(map_answer_put(&out, MAP_NOT_FOUND, PW_STR("")), MAP_NOT_FOUND);
	assert_int_equal(map_answer_put(&out, MAP_TEMP, PW_STR("away")), MAP_TEMP);
	assert_string_equal(pw_buf_text(&out),
	                    "19:OK ann@example.test,9:NOTFOUND ,9:TEMP away,");
	while (text.len < MAP_TEXT_MAX - 3)
		pw_buf_putc(&text, 'x');
	pw_buf_reset(&out);
	assert_int_equal(map_answer_put(&out, MAP_OK, pw_buf_str(&text)), MAP_OK);
	assert_int_equal(out.len, MAP_REQUEST_MAX);
	pw_buf_putc(&text, 'x');
	pw_buf_reset(&out);
	assert_int_equal(map_answer_put(&out, MAP_OK, pw_buf_str(&text)), MAP_TEMP);
	assert_string_equal(pw_buf_text(&out), "27:TEMP the answer is too long,");
}

int main(void)
{
	struct CMUnitTest tests[3 + PW_LEN(rows)] = {
		cmocka_unit_test(split_at_every_byte),
		cmocka_unit_test(the_longest),
		cmocka_unit_test(answers),
	};

	PW_TABLE_TESTS(tests, 3, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
