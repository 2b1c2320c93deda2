#include "man/sections.h"

#include <string.h>

#include "io/counters.h"
#include "io/settings.h"
#include "man/mdoc.h"

static void put_text(struct pw_buf *out, const char *text)
{
	pw_buf_puts(out, pw_str_from(text));
}

static void put_quoted(struct pw_buf *out, const char *text, const char *tail)
{
	mdoc_put_macro(out, "Ql", pw_str_from(text), tail);
}

/* ---- settings ---- */

static void put_range(struct pw_buf *out, const char *what, const struct pw_setting *row)
{
	pw_buf_printf(out, "%s from\n", what);
	put_quoted(out, row->min, "");
	put_text(out, "to\n");
	put_quoted(out, row->max, ";");
}

static void put_choice(struct pw_buf *out, struct pw_str words)
{
	put_text(out, "One of\n");
	while (words.at != NULL) {
		struct pw_str word = pw_str_cut(&words, '|');

		mdoc_put_macro(out, "Ql", word, words.at != NULL ? "," : ";");
	}
}

static void put_values(struct pw_buf *out, const struct pw_setting *row)
{
	switch (row->type) {
	case PW_SETTING_DURATION:
		put_range(out, "A duration", row);
		break;
	case PW_SETTING_COUNT:
		put_range(out, "A number", row);
		break;
	case PW_SETTING_SIZE:
		put_range(out, "A size", row);
		break;
	case PW_SETTING_BOOL:
		put_choice(out, PW_STR("yes|no"));
		break;
	case PW_SETTING_CHOICE:
		put_choice(out, pw_str_from(row->max));
		break;
	case PW_SETTING_STRING:
		pw_buf_printf(out, "Text of at most %s bytes;\n", row->max);
		break;
	case PW_SETTING_PATH:
		put_text(out, "An absolute path;\n");
		break;
	}
}

static void put_setting(struct pw_buf *out, const struct pw_setting *row)
{
	mdoc_put_macro(out, "It Ic", pw_str_from(row->name), "");
	mdoc_put_prose(out, pw_str_from(row->help));
	put_values(out, row);
	if (row->fallback[0] != '\0') {
		put_text(out, "default\n");
		put_quoted(out, row->fallback, ".");
	} else {
		put_text(out, "empty by default.\n");
	}
	if (row->change == PW_SETTING_RESTART)
		put_text(out, "A change counts after a restart.\n");
}

void sections_put_settings(struct pw_buf *out, const struct man_settings *settings)
{
	put_text(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < settings->count; i++)
		put_setting(out, &settings->rows[i]);
	put_text(out, ".El\n");
}

/* ---- counters ---- */

static void put_metric(struct pw_buf *out, const char *program,
                       const struct pw_counter_row *row)
{
	PW_AUTO(pw_buf_done) struct pw_buf metric = { 0 };

	pw_counter_put_name(&metric, program, row);
	mdoc_put_macro(out, "It Va", pw_buf_str(&metric), "");
	if (out->status == PW_OK)
		out->status = pw_buf_status(&metric);
}

static bool is_same_name(const struct man_counters *counters, size_t i)
{
	return i < counters->count &&
	       strcmp(counters->rows[i].name, counters->rows[i - 1].name) == 0;
}

void sections_put_counters(struct pw_buf *out, const struct man_counters *counters)
{
	put_text(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < counters->count; i++) {
		const struct pw_counter_row *row = &counters->rows[i];

		if (i == 0 || !is_same_name(counters, i)) {
			put_metric(out, counters->program, row);
			mdoc_put_prose(out, pw_str_from(row->help));
			put_text(out, row->type == PW_COUNTER_COUNT ? "A counter.\n"
			                                            : "A gauge.\n");
			put_text(out, row->labels ? "Labels:\n" : "");
		}
		if (row->labels)
			put_quoted(out, row->labels,
			           is_same_name(counters, i + 1) ? "," : ".");
	}
	put_text(out, ".El\n");
}
