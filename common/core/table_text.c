#include "core/table_text.h"

#include "core/buf.h"

static enum pw_status fail(struct pw_table *t, const char *why, enum pw_status status)
{
	t->why = why;
	return status;
}

static bool at_end(const struct pw_table *t)
{
	return t->rest.len == 0;
}

static char take(struct pw_table *t)
{
	char c = t->rest.at[0];

	t->rest = pw_str_sub(t->rest, 1, t->rest.len);
	t->next_line += c == '\n';
	return c;
}

/* LF, CRLF, or a CR that ends the file. */
static bool is_line_end(struct pw_str s)
{
	return s.len > 0 &&
	       (s.at[0] == '\n' || (s.at[0] == '\r' && (s.len == 1 || s.at[1] == '\n')));
}

static void skip_line_end(struct pw_table *t)
{
	if (!at_end(t) && take(t) == '\r' && !at_end(t))
		(void)take(t);
}

static enum pw_status keep(struct pw_table *t, struct pw_arena *arena,
                           const struct pw_buf *text, struct pw_str *out)
{
	enum pw_status r = pw_buf_status(text);

	if (r == PW_ERR_LIMIT)
		return fail(t, "a field is too long", r);
	return r != PW_OK ? r : pw_arena_copy(arena, pw_buf_str(text), out);
}

/* Behind the opening quote; "" is one quote. */
static enum pw_status csv_quoted(struct pw_table *t, struct pw_buf *text)
{
	while (!at_end(t)) {
		char c = take(t);

		if (c == '"' && (at_end(t) || t->rest.at[0] != '"'))
			return PW_OK;
		if (c == '"')
			(void)take(t);
		pw_buf_putc(text, c);
	}
	return fail(t, "a quote is never closed", PW_ERR_SYNTAX);
}

static enum pw_status csv_field(struct pw_table *t, struct pw_arena *arena,
                                struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = PW_TABLE_FIELD_MAX };
	bool is_quoted = !at_end(t) && t->rest.at[0] == '"';
	enum pw_status r;

	*out = (struct pw_str){ NULL, 0 };
	if (is_quoted) {
		(void)take(t);
		if ((r = csv_quoted(t, &text)) != PW_OK)
			return r;
		if (!at_end(t) && t->rest.at[0] != ',' && !is_line_end(t->rest))
			return fail(t, "text behind a closing quote", PW_ERR_SYNTAX);
		return keep(t, arena, &text, out);
	}
	while (!at_end(t) && t->rest.at[0] != ',' && !is_line_end(t->rest)) {
		if (t->rest.at[0] == '"')
			return fail(t, "a quote inside a field", PW_ERR_SYNTAX);
		pw_buf_putc(&text, take(t));
	}
	return text.len > 0 || text.status != PW_OK ? keep(t, arena, &text, out) : PW_OK;
}

static char unescaped(char c)
{
	static const char letters[] = "ntrbfv", means[] = "\n\t\r\b\f\v";

	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		if (letters[i] == c)
			return means[i];
	return c;
}

static bool ends_tsv(const struct pw_table *t)
{
	return at_end(t) || t->rest.at[0] == '\t' || is_line_end(t->rest);
}

static enum pw_status tsv_field(struct pw_table *t, struct pw_arena *arena,
                                struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = PW_TABLE_FIELD_MAX };
	struct pw_str raw = t->rest;

	while (!ends_tsv(t)) {
		char c = take(t);

		if (c == '\\' && !ends_tsv(t)) {
			c = take(t);
			if (c == '0')
				return fail(t, "a byte of zero", PW_ERR_SYNTAX);
			c = unescaped(c);
		}
		pw_buf_putc(&text, c);
	}
	raw.len -= t->rest.len;
	*out = (struct pw_str){ NULL, 0 };
	if (pw_str_eq(raw, PW_STR("NULL")) || pw_str_eq(raw, PW_STR("\\N")))
		return PW_OK;
	return keep(t, arena, &text, out);
}

static enum pw_status read_row(struct pw_table *t, struct pw_arena *arena,
                               struct pw_table_row *out)
{
	bool is_tsv = t->form == PW_TABLE_TSV;
	enum pw_status r;

	while (is_line_end(t->rest))
		skip_line_end(t);
	if (at_end(t))
		return PW_ERR_NOTFOUND;
	out->line = t->line = t->next_line;
	for (out->count = 0;; (void)take(t)) { /* the separator */
		struct pw_str *field = &out->fields[out->count];

		if (out->count++ == PW_TABLE_COLUMNS_MAX)
			return fail(t, "too many columns", PW_ERR_LIMIT);
		r = is_tsv ? tsv_field(t, arena, field) : csv_field(t, arena, field);
		if (r != PW_OK)
			return r;
		if (at_end(t) || is_line_end(t->rest))
			break;
	}
	skip_line_end(t);
	return PW_OK;
}

static enum pw_status check_head(struct pw_table *t)
{
	for (size_t i = 0; i < t->head.count; i++) {
		if (t->head.fields[i].len == 0)
			return fail(t, "a column without a name", PW_ERR_SYNTAX);
		if (pw_table_column(t, t->head.fields[i]) != i)
			return fail(t, "a column twice", PW_ERR_SYNTAX);
	}
	return PW_OK;
}

enum pw_status pw_table_open(struct pw_table *table, struct pw_arena *arena,
                             struct pw_str bytes)
{
	struct pw_str first;
	enum pw_status r;

	*table = (struct pw_table){ .next_line = 1, .line = 1 };
	if (pw_str_find(bytes, '\0') < bytes.len)
		return fail(table, "a byte of zero: this is no text", PW_ERR_SYNTAX);
	if (pw_str_starts(bytes, PW_STR("\xef\xbb\xbf")))
		bytes = pw_str_sub(bytes, 3, bytes.len);
	table->rest = bytes;
	while (is_line_end(table->rest))
		skip_line_end(table);
	first = pw_str_sub(table->rest, 0, pw_str_find(table->rest, '\n'));
	table->form = pw_str_find(first, '\t') < first.len ? PW_TABLE_TSV : PW_TABLE_CSV;
	r = read_row(table, arena, &table->head);
	if (r == PW_ERR_NOTFOUND)
		return fail(table, "the file is empty", PW_ERR_SYNTAX);
	return r == PW_OK ? check_head(table) : r;
}

enum pw_status pw_table_next(struct pw_table *table, struct pw_arena *arena,
                             struct pw_table_row *out)
{
	enum pw_status r = read_row(table, arena, out);

	if (r == PW_OK && out->count != table->head.count)
		return fail(table,
		            out->count < table->head.count
		                    ? "fewer fields than the header has columns"
		                    : "more fields than the header has columns",
		            PW_ERR_SYNTAX);
	return r;
}

const char *pw_table_why(const struct pw_table *table)
{
	return table->why ? table->why : "";
}

size_t pw_table_column(const struct pw_table *table, struct pw_str name)
{
	size_t i = 0;

	while (i < table->head.count && !pw_str_eq_nocase(table->head.fields[i], name))
		i++;
	return i;
}
