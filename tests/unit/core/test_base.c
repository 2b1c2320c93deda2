#include "../table.h"

#include <string.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/map.h"

struct int_row {
	const char *label, *text;
	int64_t min, max;
	enum pw_status status;
	int64_t value;
};

static struct int_row int_rows[] = {
	{ "zero", "0", 0, 9, PW_OK, 0 },
	{ "negative", "-12", -20, 0, PW_OK, -12 },
	{ "smallest", "-9223372036854775808", INT64_MIN, 0, PW_OK, INT64_MIN },
	{ "one beyond int64", "9223372036854775808", 0, INT64_MAX, PW_ERR_RANGE, 7 },
	{ "above max", "11", 0, 10, PW_ERR_RANGE, 7 },
	{ "empty", "", 0, 9, PW_ERR_SYNTAX, 7 },
	{ "only a sign", "-", -9, 9, PW_ERR_SYNTAX, 7 },
	{ "trailing blank", "1 ", 0, 9, PW_ERR_SYNTAX, 7 },
};

static void check_int(void **state)
{
	const struct int_row *row = *state;
	int64_t value = 7; /* untouched on failure */

	assert_int_equal(
		pw_str_to_int64(pw_str_from(row->text), row->min, row->max, &value),
		row->status);
	assert_int_equal(value, row->value);
}

static void buffer_remembers_its_first_failure(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };

	(void)state;
	pw_buf_init(&b, 5);
	pw_buf_puts(&b, PW_STR("abc"));
	pw_buf_puts(&b, PW_STR("def"));
	pw_buf_puts(&b, PW_STR("g"));
	assert_int_equal(pw_buf_status(&b), PW_ERR_LIMIT);
	assert_string_equal(pw_buf_text(&b), "abc");
	pw_buf_reset(&b);
	pw_buf_put_int(&b, INT64_MIN / 1000000000000000000);
	pw_buf_printf(&b, "%s", "xyz");
	assert_int_equal(pw_buf_status(&b), PW_OK);
	assert_string_equal(pw_buf_text(&b), "-9xyz");
}

static void cut_walks_fields(void **state)
{
	struct pw_str rest = PW_STR("a,,b");

	(void)state;
	assert_true(pw_str_eq(pw_str_cut(&rest, ','), PW_STR("a")));
	assert_true(pw_str_eq(pw_str_cut(&rest, ','), PW_STR("")));
	assert_true(pw_str_eq(pw_str_cut(&rest, ','), PW_STR("b")));
	assert_null(rest.at);
}

static void arena_keeps_to_its_maximum(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_str copy;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 100000), PW_OK);
	assert_non_null(pw_arena_alloc(arena, 90000));
	assert_null(pw_arena_alloc(arena, 20000));
	assert_null(pw_arena_array(arena, SIZE_MAX / 2, 3));
	pw_arena_reset(arena);
	assert_int_equal(pw_arena_copy(arena, PW_STR("x\0y"), &copy), PW_OK);
	assert_int_equal(copy.len, 3);
	assert_int_equal(copy.at[3], 0);
}

/* The first vectors of the reference implementation: key 00..0f, input 00 01 02 ... */
static void siphash_agrees_with_its_authors(void **state)
{
	uint8_t key[16];
	char input[15];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (char)i;
	assert_true(pw_siphash(key, (struct pw_str){ input, 0 }) == 0x726fdb47dd0e0e31u);
	assert_true(pw_siphash(key, (struct pw_str){ input, 8 }) == 0x93f5f5799a932462u);
	assert_true(pw_siphash(key, (struct pw_str){ input, 15 }) == 0xa129ca6149be45e5u);
}

static void map_survives_removal_in_every_order(void **state)
{
	static const uint8_t seed[16] = { 1 };
	PW_AUTO(pw_map_free) struct pw_map *map = NULL;
	char keys[1000][8];

	(void)state;
	assert_int_equal(pw_map_new(&map, seed, 1000), PW_OK);
	for (int i = 0; i < 1000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%d", i);
		assert_int_equal(pw_map_put(map, pw_str_from(keys[i]), keys[i]), PW_OK);
	}
	assert_int_equal(pw_map_put(map, PW_STR("more"), keys), PW_ERR_LIMIT);
	for (int i = 0; i < 1000; i += 3)
		assert_ptr_equal(pw_map_take(map, pw_str_from(keys[i])), keys[i]);
	for (int i = 0; i < 1000; i++)
		assert_ptr_equal(pw_map_get(map, pw_str_from(keys[i])),
		                 i % 3 == 0 ? NULL : keys[i]);
	assert_int_equal(pw_map_count(map), 666);
}

/* A table that is as full as it gets, against a list; keys come and go. */
static void map_agrees_with_a_list(void **state)
{
	static const uint8_t seed[16] = { 2 };
	PW_AUTO(pw_map_free) struct pw_map *map = NULL;
	char keys[500][8];
	bool is_in[500] = { false };
	size_t count = 0;
	unsigned random = 1;

	(void)state;
	assert_int_equal(pw_map_new(&map, seed, 500), PW_OK);
	for (int i = 0; i < 500; i++)
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
	for (int n = 0; n < 50000; n++) {
		struct pw_str key;
		int i;

		random = random * 1103515245u + 12345u;
		i = (int)(random >> 16) % 500;
		key = pw_str_from(keys[i]);
		assert_ptr_equal(pw_map_get(map, key), is_in[i] ? keys[i] : NULL);
		if (is_in[i] && random >> 8 & 1) {
			assert_ptr_equal(pw_map_take(map, key), keys[i]);
			count--;
			is_in[i] = false;
		} else {
			assert_int_equal(pw_map_put(map, key, keys[i]), PW_OK);
			count += !is_in[i];
			is_in[i] = true;
		}
		assert_int_equal(pw_map_count(map), count);
	}
}

static void buffer_begins_in_lent_room(void **state)
{
	char room[8] = "";
	PW_AUTO(pw_buf_done) struct pw_buf b = PW_BUF_IN(room);

	(void)state;
	pw_buf_puts(&b, PW_STR("0123456"));
	assert_ptr_equal(b.at, room);
	pw_buf_putc(&b, '7'); /* with its NUL it does not fit */
	assert_ptr_not_equal(b.at, room);
	assert_string_equal(pw_buf_text(&b), "01234567");
	for (int i = 0; i < 100; i++)
		pw_buf_puts(&b, PW_STR("more"));
	assert_int_equal(b.len, 408);
	assert_int_equal(pw_buf_status(&b), PW_OK);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(int_rows) + 7] = {
		cmocka_unit_test(buffer_remembers_its_first_failure),
		cmocka_unit_test(cut_walks_fields),
		cmocka_unit_test(arena_keeps_to_its_maximum),
		cmocka_unit_test(siphash_agrees_with_its_authors),
		cmocka_unit_test(map_survives_removal_in_every_order),
		cmocka_unit_test(map_agrees_with_a_list),
		cmocka_unit_test(buffer_begins_in_lent_room),
	};

	PW_TABLE_TESTS(tests, 7, int_rows, check_int);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
