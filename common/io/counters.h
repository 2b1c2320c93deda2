/* Numbers of one program, declared once in its counters.def and written as Prometheus
 * text:
 *
 *     PW(COUNT, accepted, "messages_total", "action=\"accept\"", "Messages by action.")
 *     PW(COUNT, rejected, "messages_total", "action=\"reject\"", "Messages by action.")
 *     PW(LEVEL, sessions, "sessions",       NULL,                "Sessions open now.")
 *
 * Rows of one name stand together. Glue of a program:
 *
 *     enum {
 *     #define PW(type, id, name, labels, help) COUNT_##id,
 *     #include "score/counters.def"
 *     #undef PW
 *             COUNT_IDS
 *     };
 *     static const struct pw_counter_row rows[] = {
 *     #define PW PW_COUNTER_ROW
 *     #include "score/counters.def"
 *     #undef PW
 *     };
 *     static _Atomic int64_t values[COUNT_IDS];
 *     struct pw_counters counters = { "postward-score", rows, values, COUNT_IDS };
 *     ...
 *     pw_count(&counters, COUNT_accepted, 1);
 *
 * Names: messages_total becomes postward_score_messages_total. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "core/buf.h"

enum pw_counter_type {
	PW_COUNTER_COUNT, /* only grows */
	PW_COUNTER_LEVEL, /* goes up and down: a gauge */
};
struct pw_counter_row {
	enum pw_counter_type type;
	const char *name, *labels, *help;
};
#define PW_COUNTER_ROW(type, id, name, labels, help)                                     \
	{ PW_COUNTER_##type, name, labels, help },

struct pw_counters {
	const char *program; /* "postward-score" */
	const struct pw_counter_row *rows;
	_Atomic int64_t *values;
	size_t count;
};

/* Add n (count: >= 0) to, or set, the value of a row. From any thread; cannot fail. */
void pw_count(struct pw_counters *counters, size_t id, int64_t n);
void pw_count_set(struct pw_counters *counters, size_t id, int64_t n);
int64_t pw_count_get(const struct pw_counters *counters, size_t id);

/* A row's full name: "postward-score", "messages_total" to postward_score_messages_total.
 */
void pw_counter_put_name(struct pw_buf *out, const char *program,
                         const struct pw_counter_row *row);
/* All of them as Prometheus text (exposition format 0.0.4). */
void pw_counters_print(struct pw_buf *out, const struct pw_counters *counters);
/* The same into the file metrics.prom of a folder, in one step.
 *
 * Errors  as pw_file_replace; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_counters_write(const struct pw_counters *counters,
                                               const char *state_directory);
