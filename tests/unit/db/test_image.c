/* The bytes of a snapshot: what is written reads back, anything else is refused. */
#include "../table.h"

#include <string.h>

#include "db/image.h"

static const struct pw_snapshot_query queries[] = { { "a", 2 }, { "b", 1 } };
static const struct pw_image_head head = { .fingerprint = "0123456789abcdef",
	                                   .generation = -7,
	                                   .read_ms = 1700000000123 };

static void put_rows(struct pw_buf *out)
{
	pw_image_begin(out, &head);
	pw_image_table(out, 2, 2);
	pw_image_cell(out, PW_STR("one"));
	pw_image_cell(out, PW_STR("1"));
	pw_image_cell(out, (struct pw_str){ NULL, 0 });
	pw_image_cell(out, PW_STR(""));
	pw_image_table(out, 1, 1);
	pw_image_cell(out, PW_STR("t"));
}

static enum pw_status read_image(struct pw_str bytes, struct pw_snapshot_data **out,
                                 struct pw_buf *why)
{
	struct pw_image_head found;
	enum pw_status r =
		pw_image_read(out, &found, bytes, queries, PW_LEN(queries), why);

	if (r == PW_OK) {
		assert_memory_equal(found.fingerprint, head.fingerprint,
		                    sizeof(head.fingerprint));
		assert_int_equal(found.generation, head.generation);
		assert_int_equal(found.read_ms, head.read_ms);
	}
	return r;
}

static void what_is_written_reads_back(void **state)
{
	PW_AUTO(pw_snapshot_data_free) struct pw_snapshot_data *data = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf bytes = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	(void)state;
	put_rows(&bytes);
	assert_int_equal(pw_image_end(&bytes), PW_OK);
	assert_int_equal(read_image(pw_buf_str(&bytes), &data, &why), PW_OK);
	assert_int_equal(pw_snapshot_rows(data, 0), 2);
	assert_true(pw_str_eq(pw_snapshot_value(data, 0, 0, 0), PW_STR("one")));
	assert_int_equal(pw_snapshot_int(data, 0, 0, 1, 9), 1);
	assert_null(pw_snapshot_value(data, 0, 1, 0).at);
	assert_int_equal(pw_snapshot_int(data, 0, 1, 0, 9), 9);
	assert_non_null(pw_snapshot_value(data, 0, 1, 1).at);
	assert_int_equal(pw_snapshot_value(data, 0, 1, 1).len, 0);
	assert_true(pw_snapshot_bool(data, 1, 0, 0));
	assert_null(pw_snapshot_value(data, 0, 2, 0).at); /* out of bounds */
	assert_null(pw_snapshot_value(data, 0, 0, 2).at);
	assert_null(pw_snapshot_value(data, 2, 0, 0).at);
	assert_int_equal(pw_snapshot_rows(data, 2), 0);
}

static void any_cut_and_any_flipped_byte_is_refused(void **state)
{
	PW_AUTO(pw_snapshot_data_free) struct pw_snapshot_data *data = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf bytes = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	(void)state;
	put_rows(&bytes);
	assert_int_equal(pw_image_end(&bytes), PW_OK);
	for (size_t i = 0; i < bytes.len; i++) {
		assert_int_equal(
			read_image(pw_str_sub(pw_buf_str(&bytes), 0, i), &data, &why),
			PW_ERR_SYNTAX);
		bytes.at[i] ^= 0x40;
		assert_int_equal(read_image(pw_buf_str(&bytes), &data, &why),
		                 PW_ERR_SYNTAX);
		bytes.at[i] ^= 0x40;
	}
	pw_buf_putc(&bytes, 'x');
	assert_int_equal(read_image(pw_buf_str(&bytes), &data, &why), PW_ERR_SYNTAX);
}

/* Rows that do not fit, under a checksum that does. */
struct row {
	const char *label;
	uint64_t rows, columns;
	size_t cells;
	enum pw_status status;
};
/* clang-format off */
static struct row rows[] = {
	{ "as the query says",       3,                  2, 6, PW_OK },
	{ "no rows",                 0,                  2, 0, PW_OK },
	{ "other columns",           2,                  3, 6, PW_ERR_SYNTAX },
	{ "no columns",              2,                  0, 0, PW_ERR_SYNTAX },
	{ "a row too few",           4,                  2, 6, PW_ERR_SYNTAX },
	{ "a row too many",          2,                  2, 6, PW_ERR_SYNTAX },
	{ "rows beyond any memory",  UINT64_MAX,         2, 6, PW_ERR_SYNTAX },
	{ "product overflows",       UINT64_MAX / 2 + 4, 2, 6, PW_ERR_SYNTAX },
};
/* clang-format on */

static void check(void **state)
{
	static const struct pw_snapshot_query one = { "a", 2 };
	const struct row *row = *state;
	PW_AUTO(pw_snapshot_data_free) struct pw_snapshot_data *data = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf bytes = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_image_head found;

	pw_image_begin(&bytes, &head);
	pw_image_table(&bytes, row->rows, row->columns);
	for (size_t i = 0; i < row->cells; i++)
		pw_image_cell(&bytes, PW_STR("x"));
	assert_int_equal(pw_image_end(&bytes), PW_OK);
	assert_int_equal(pw_image_read(&data, &found, pw_buf_str(&bytes), &one, 1, &why),
	                 row->status);
	assert_string_equal(pw_buf_text(&why),
	                    row->status == PW_OK ? "" : "rows do not fit the queries");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 2] = {
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(any_cut_and_any_flipped_byte_is_refused),
	};

	PW_TABLE_TESTS(tests, 2, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
