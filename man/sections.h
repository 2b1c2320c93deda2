/* Sections of manual pages made from tables: settings, counters, usage texts. */
#pragma once

#include "core/buf.h"

struct pw_setting;
struct pw_counter_row;

struct man_settings {
	const struct pw_setting *rows;
	size_t count;
};
struct man_counters {
	const char *program;
	const struct pw_counter_row *rows; /* those of one name stand together */
	size_t count;
};

/* A list with one item for each setting: help, range, default, when a change counts. */
void sections_put_settings(struct pw_buf *out, const struct man_settings *settings);

/* A list with one item for each name, with its labels. */
void sections_put_counters(struct pw_buf *out, const struct man_counters *counters);
