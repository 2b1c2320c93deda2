#include "db/recall.h"

#include "core/utf8.h"

enum { COLUMN_BASE, COLUMN_TOKEN, COLUMN_SPAM, COLUMN_HAM };

/* In quotes nothing but '"' and '\' means anything (PostgreSQL 8.15.6). */
static void put_quoted(struct pw_buf *out, struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf clean = { 0 };

	pw_utf8_put(&clean, text);
	pw_buf_putc(out, '"');
	for (size_t i = 0; i < clean.len; i++) {
		if (clean.at[i] == '"' || clean.at[i] == '\\')
			pw_buf_putc(out, '\\');
		if (clean.at[i] != '\0')
			pw_buf_putc(out, clean.at[i]);
	}
	pw_buf_putc(out, '"');
}

void pw_recall_put_addresses(struct pw_buf *out, const struct pw_str *addresses,
                             size_t count)
{
	pw_buf_putc(out, '{');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			pw_buf_putc(out, ',');
		put_quoted(out, addresses[i]);
	}
	pw_buf_putc(out, '}');
}

void pw_recall_put_tokens(struct pw_buf *out, const struct pw_tokens *tokens)
{
	pw_buf_putc(out, '{');
	for (size_t i = 0; i < tokens->count; i++) {
		if (i > 0)
			pw_buf_putc(out, ',');
		pw_buf_put_int(out, (int64_t)tokens->at[i]);
	}
	pw_buf_putc(out, '}');
}

static uint32_t count_at(const struct pw_db_result *rows, size_t row, size_t column)
{
	int64_t n = pw_db_int(rows, row, column, 0);

	return n < 0 ? 0 : n > INT32_MAX ? INT32_MAX : (uint32_t)n;
}

static void read_token(struct pw_bayes_counts *out, const struct pw_tokens *tokens,
                       size_t base, uint64_t token, struct pw_bayes_seen seen)
{
	size_t place = pw_tokens_find(tokens, token);

	if (place < tokens->count)
		out->seen[place][base] = seen;
}

void pw_recall_read(struct pw_bayes_counts *out, const struct pw_tokens *tokens,
                    const struct pw_db_result *rows)
{
	for (size_t row = 0; row < pw_db_rows(rows); row++) {
		int64_t base = pw_db_int(rows, row, COLUMN_BASE, PW_BAYES_BASES);
		struct pw_bayes_seen seen = { count_at(rows, row, COLUMN_SPAM),
			                      count_at(rows, row, COLUMN_HAM) };
		bool is_token = pw_db_value(rows, row, COLUMN_TOKEN).at != NULL;

		if (base == -1) {
			out->learned_min = seen.spam;
			out->tokens_min = seen.ham;
		} else if (base < 0 || base >= PW_BAYES_BASES) {
			continue;
		} else if (!is_token) {
			out->learned[base] = seen;
		} else {
			read_token(out, tokens, (size_t)base,
			           (uint64_t)pw_db_int(rows, row, COLUMN_TOKEN, 0), seen);
		}
	}
}
