/* What parses, written down again in the same form, parses to the same fields. */
#include <stdlib.h>

#include "core/buf.h"
#include "core/table_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_csv(struct pw_buf *out, struct pw_str field)
{
	if (!field.at)
		return;
	pw_buf_putc(out, '"');
	for (size_t i = 0; i < field.len; i++) {
		if (field.at[i] == '"')
			pw_buf_putc(out, '"');
		pw_buf_putc(out, field.at[i]);
	}
	pw_buf_putc(out, '"');
}

static void put_tsv(struct pw_buf *out, struct pw_str field)
{
	if (!field.at)
		pw_buf_puts(out, PW_STR("\\N"));
	else if (pw_str_eq(field, PW_STR("NULL")))
		pw_buf_putc(out, '\\');
	for (size_t i = 0; i < field.len; i++) {
		char c = field.at[i];

		if (c == '\n' || c == '\t' || c == '\r' || c == '\\')
			pw_buf_putc(out, '\\');
		pw_buf_putc(out, c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : c);
	}
}

static void put_row(struct pw_buf *out, const struct pw_table *table,
                    const struct pw_table_row *row)
{
	for (size_t i = 0; i < row->count; i++) {
		if (i > 0)
			pw_buf_putc(out, table->form == PW_TABLE_TSV ? '\t' : ',');
		if (table->form == PW_TABLE_TSV)
			put_tsv(out, row->fields[i]);
		else
			put_csv(out, row->fields[i]);
	}
	pw_buf_putc(out, '\n');
}

/* Everything up to the first error; false when there is no header. */
static bool write_down(struct pw_buf *out, struct pw_arena *arena, struct pw_str text)
{
	struct pw_table table;
	struct pw_table_row row;

	if (pw_table_open(&table, arena, text) != PW_OK)
		return false;
	pw_buf_puts(out,
	            PW_STR("\xef\xbb\xbf")); /* so that none of the header is dropped */
	put_row(out, &table, &table.head);
	while (pw_table_next(&table, arena, &row) == PW_OK)
		put_row(out, &table, &row);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size };
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 }, twice = { 0 };

	if (pw_arena_new(&arena, 0) != PW_OK || !write_down(&once, arena, text))
		return 0;
	if (!write_down(&twice, arena, pw_buf_str(&once)) ||
	    !pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	return 0;
}
