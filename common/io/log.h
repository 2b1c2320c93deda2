/* One line per decision, Postfix form:
 *
 *     postward-score[814]: 4fQ2xT1z9Yz: action=accept, from=<ann@example.org>,
 * score_milli=120
 *
 * Facility mail of syslog, or stderr. It never blocks: a line that cannot be handed over
 * at once is dropped, counted, and the next line that gets through is preceded by the
 * count. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "core/buf.h"

enum pw_log_level { PW_LOG_ERROR, PW_LOG_WARNING, PW_LOG_INFO, PW_LOG_DEBUG };
enum pw_log_target { PW_LOG_TO_SYSLOG, PW_LOG_TO_STDERR };

/* Bytes of a value before escaping; what is longer is cut and ends in "...". */
#define PW_LOG_VALUE_MAX 256

enum pw_kv_form {
	PW_KV_FORM_END,
	PW_KV_FORM_NONE,
	PW_KV_FORM_TEXT,
	PW_KV_FORM_ADDR,
	PW_KV_FORM_PEER,
	PW_KV_FORM_INT
};
struct pw_kv {
	const char *key; /* a literal, listed in docs */
	enum pw_kv_form form;
	struct pw_str text, more;
	int64_t number;
};

/* Fields of a line. value: struct pw_str or a C string (NULL = empty); never quoted or
 * escaped by the caller. */
#define PW_KV(key, value)                                                                \
	pw_kv_make((key), PW_KV_FORM_TEXT, pw_kv_slice(value), PW_STR(""), 0)
/* An address, written <ann@example.org>; empty = <>. */
#define PW_KV_ADDR(key, value)                                                           \
	pw_kv_make((key), PW_KV_FORM_ADDR, pw_kv_slice(value), PW_STR(""), 0)
/* A client or server, written name[address]; empty name = unknown. */
#define PW_KV_PEER(key, name, address)                                                   \
	pw_kv_make((key), PW_KV_FORM_PEER, pw_kv_slice(name), pw_kv_slice(address), 0)
#define PW_KV_INT(key, n)                                                                \
	pw_kv_make((key), PW_KV_FORM_INT, PW_STR(""), PW_STR(""), (int64_t)(n))
/* Ends a line. */
#define PW_KV_END pw_kv_make(NULL, PW_KV_FORM_END, PW_STR(""), PW_STR(""), 0)
/* Instead of a field that does not apply: has_x ? PW_KV("x", x) : PW_KV_NONE */
#define PW_KV_NONE pw_kv_make("", PW_KV_FORM_NONE, PW_STR(""), PW_STR(""), 0)

/* program is borrowed for ever; text before it is logged to stderr at level info. Call
 * from one thread, before the others start, and again at reload. */
void pw_log_open(const char *program, enum pw_log_target target, enum pw_log_level level);
/* Is anybody interested? For lines that cost something to make. */
bool pw_log_wanted(enum pw_log_level level);

/* pw_log(level, queue_id, fields..., PW_KV_END)
 *
 * queue_id  NULL = not known yet (NOQUEUE); "" = the line is not about a message
 *
 * Thread-safe, cannot fail. */
#define pw_log(level, queue_id, ...)                                                     \
	pw_log_write((level), (queue_id), (const struct pw_kv[]){ __VA_ARGS__ })
void pw_log_write(enum pw_log_level level, const char *queue_id,
                  const struct pw_kv *fields);

/* A line of the log, event=settings, for each line of notes (io/options.h). */
void pw_log_notes(enum pw_log_level level, struct pw_str notes);

/* The text of a line without program and pid, as pw_log writes it. Pure. */
void pw_log_format(struct pw_buf *out, const char *queue_id, const struct pw_kv *fields);

/* Behind the macros above. */
static inline struct pw_kv pw_kv_make(const char *key, enum pw_kv_form form,
                                      struct pw_str text, struct pw_str more,
                                      int64_t number)
{
	return (struct pw_kv){ key, form, text, more, number };
}
static inline struct pw_str pw_kv_slice_str(struct pw_str s)
{
	return s;
}
#define pw_kv_slice(value)                                                               \
	_Generic((value),                                                                   \
	        struct pw_str: pw_kv_slice_str,                                             \
	        char *: pw_str_from,                                                        \
	        const char *: pw_str_from)(value)
