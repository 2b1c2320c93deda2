#include "../table.h"

#include <string.h>

#include "core/pack.h"

static void what_went_in_comes_out(void **state)
{
	static const int64_t numbers[] = { 0,         1,         -1,
		                           INT64_MAX, INT64_MIN, 0x0102030405060708 };
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };
	struct pw_unpack in;

	(void)state;
	for (size_t i = 0; i < PW_LEN(numbers); i++)
		pw_pack_int(&b, numbers[i]);
	pw_pack_str(&b, PW_STR(""));
	pw_pack_str(&b, PW_STR("a\0b"));
	in = (struct pw_unpack){ pw_buf_str(&b), false };
	for (size_t i = 0; i < PW_LEN(numbers); i++)
		assert_true(pw_unpack_int(&in) == numbers[i]);
	assert_int_equal(pw_unpack_str(&in).len, 0);
	assert_true(pw_str_eq(pw_unpack_str(&in), PW_STR("a\0b")));
	assert_int_equal(in.rest.len, 0);
	assert_false(in.is_broken);
}

struct broken_row {
	const char *label;
	struct pw_str bytes;
};

static struct broken_row broken_rows[] = {
	{ "nothing", { "", 0 } },
	{ "half a number", { "\1\0\0\0", 4 } },
	{ "a length without its text", { "\1\0\0\0\0\0\0\0", 8 } },
	{ "a text that is too short", { "\3\0\0\0\0\0\0\0ab", 10 } },
	{ "a length below zero", { "\377\377\377\377\377\377\377\377ab", 10 } },
};

static void check_broken(void **state)
{
	const struct broken_row *row = *state;
	struct pw_unpack in = { row->bytes, false };

	assert_int_equal(pw_unpack_str(&in).len, 0);
	assert_true(in.is_broken);
	assert_int_equal(pw_unpack_int(&in), 0); /* and all that follows */
	assert_int_equal(pw_unpack_str(&in).len, 0);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(broken_rows) + 1];

	for (size_t i = 0; i < PW_LEN(broken_rows); i++)
		tests[i] = (struct CMUnitTest){ broken_rows[i].label, check_broken, NULL,
			                        NULL, &broken_rows[i] };
	tests[PW_LEN(broken_rows)] =
		(struct CMUnitTest)cmocka_unit_test(what_went_in_comes_out);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
