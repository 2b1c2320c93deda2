#include "io/counters.h"

#include <string.h>

#include "core/ascii.h"
#include "io/file.h"

#define METRICS_FILE "metrics.prom"
#define METRICS_MODE 0644 /* numbers only: for whoever may enter the folder */

void pw_count(struct pw_counters *counters, size_t id, int64_t n)
{
	(void)atomic_fetch_add_explicit(&counters->values[id], n, memory_order_relaxed);
}

void pw_count_set(struct pw_counters *counters, size_t id, int64_t n)
{
	atomic_store_explicit(&counters->values[id], n, memory_order_relaxed);
}

int64_t pw_count_get(const struct pw_counters *counters, size_t id)
{
	return atomic_load_explicit(&counters->values[id], memory_order_relaxed);
}

void pw_counter_put_name(struct pw_buf *out, const char *program,
                         const struct pw_counter_row *row)
{
	for (const char *p = program; *p; p++)
		pw_buf_putc(out, pw_is_alnum(*p) ? *p : '_');
	pw_buf_printf(out, "_%s", row->name);
}

static void put_head(struct pw_buf *out, const struct pw_counters *counters,
                     const struct pw_counter_row *row)
{
	pw_buf_puts(out, PW_STR("# HELP "));
	pw_counter_put_name(out, counters->program, row);
	pw_buf_printf(out, " %s\n# TYPE ", row->help);
	pw_counter_put_name(out, counters->program, row);
	pw_buf_puts(out, row->type == PW_COUNTER_COUNT ? PW_STR(" counter\n")
	                                               : PW_STR(" gauge\n"));
}

void pw_counters_print(struct pw_buf *out, const struct pw_counters *counters)
{
	for (size_t i = 0; i < counters->count; i++) {
		const struct pw_counter_row *row = &counters->rows[i];

		if (i == 0 || strcmp(row->name, row[-1].name) != 0)
			put_head(out, counters, row);
		pw_counter_put_name(out, counters->program, row);
		if (row->labels)
			pw_buf_printf(out, "{%s}", row->labels);
		pw_buf_putc(out, ' ');
		pw_buf_put_int(out, pw_count_get(counters, i));
		pw_buf_putc(out, '\n');
	}
}

enum pw_status pw_counters_write(const struct pw_counters *counters,
                                 const char *state_directory)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r;

	pw_buf_printf(&path, "%s/" METRICS_FILE, state_directory);
	pw_counters_print(&text, counters);
	if ((r = pw_buf_status(&path)) != PW_OK || (r = pw_buf_status(&text)) != PW_OK)
		return r;
	return pw_file_replace(pw_buf_text(&path), pw_buf_str(&text), METRICS_MODE);
}
