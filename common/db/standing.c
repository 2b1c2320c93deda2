#include "db/standing.h"

#include "db/recall.h"

enum { COLUMN_N, COLUMN_SPAM, COLUMN_HAM };

void pw_standing_put(struct pw_buf *out, const struct pw_reputation *sources)
{
	struct pw_buf texts[PW_REPUTATION_MAX] = { 0 };
	struct pw_str slices[PW_REPUTATION_MAX];

	for (size_t i = 0; i < sources->count; i++) {
		pw_reputation_put(&texts[i], &sources->at[i]);
		slices[i] = pw_buf_str(&texts[i]);
	}
	pw_recall_put_addresses(out, slices, sources->count);
	for (size_t i = 0; i < sources->count; i++)
		pw_buf_done(&texts[i]);
}

void pw_standing_read(struct pw_reputation *sources, const struct pw_db_result *rows)
{
	for (size_t row = 0; row < pw_db_rows(rows); row++) {
		int64_t n = pw_db_int(rows, row, COLUMN_N, 0);

		if (n < 1 || (size_t)n > sources->count)
			continue;
		sources->at[n - 1].spam_milli = pw_db_int(rows, row, COLUMN_SPAM, 0);
		sources->at[n - 1].ham_milli = pw_db_int(rows, row, COLUMN_HAM, 0);
	}
}
