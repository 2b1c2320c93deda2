#include "db/group.h"

/* A value may hold anything but NUL: it is always quoted. */
static void put_element(struct pw_buf *out, const char *value)
{
	if (!value) {
		pw_buf_puts(out, PW_STR("NULL"));
		return;
	}
	pw_buf_putc(out, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			pw_buf_putc(out, '\\');
		pw_buf_putc(out, *value);
	}
	pw_buf_putc(out, '"');
}

static void put_array(struct pw_buf *out, const struct request *first, int param)
{
	const struct request *r = first;

	pw_buf_putc(out, '{');
	for (size_t i = 0; i < first->group; i++, r = r->next) {
		if (i > 0)
			pw_buf_putc(out, ',');
		put_element(out, r->params.values[param]);
	}
	pw_buf_putc(out, '}');
}

enum pw_status group_params(struct pw_db_params *out, const struct request *first)
{
	struct pw_buf arrays[PW_DB_PARAMS_MAX] = { 0 };
	struct pw_str texts[PW_DB_PARAMS_MAX] = { 0 };
	size_t n = (size_t)first->params.count;
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < n; i++) {
		put_array(&arrays[i], first, (int)i);
		texts[i] = pw_buf_str(&arrays[i]);
		if (r == PW_OK)
			r = pw_buf_status(&arrays[i]);
	}
	if (r == PW_OK)
		r = pw_db_params_init(out, texts, n);
	for (size_t i = 0; i < n; i++)
		pw_buf_done(&arrays[i]);
	return r;
}

/* Returns whether memory sufficed. */
static bool copy_row(PGresult *to, const PGresult *from, int row)
{
	int to_row = PQntuples(to);

	for (int i = 0; i < PQnfields(from); i++) {
		bool is_null = PQgetisnull(from, row, i) != 0;

		if (PQsetvalue(to, to_row, i, is_null ? NULL : PQgetvalue(from, row, i),
		               is_null ? -1 : PQgetlength(from, row, i)) == 0)
			return false;
	}
	return true;
}

bool group_split(const struct pw_db_result *result, struct pw_db_result *parts[],
                 size_t count)
{
	const PGresult *from = (const PGresult *)result;
	size_t column = pw_db_columns(result) - 1;
	bool is_good = true;

	for (size_t i = 0; i < count; i++) {
		parts[i] = pw_db_result_from(PQcopyResult(from, PG_COPYRES_ATTRS));
		is_good = is_good && parts[i];
	}
	for (size_t row = 0; is_good && row < pw_db_rows(result); row++) {
		int64_t number = pw_db_int(result, row, column, 0);

		if (number >= 1 && number <= (int64_t)count)
			is_good = copy_row((PGresult *)parts[number - 1], from, (int)row);
	}
	for (size_t i = 0; !is_good && i < count; i++)
		pw_db_result_free(&parts[i]);
	return is_good;
}
