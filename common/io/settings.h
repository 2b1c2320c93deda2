/* Settings of a daemon: one table (settings.def) is the struct, the parser, the range
 * check, the defaults and what -n and -d print.
 *
 *   PW(TYPE, name, default, min, max, change, help)       all but TYPE, name, change:
 * literals
 *
 *   TYPE      field                    text                        min, max
 *   DURATION  int64_t name_ms          500ms 5s 2m 1h 7d           durations
 *   COUNT     int64_t name             decimal                     numbers
 *   SIZE      int64_t name_bytes       bytes, or with k M G        sizes
 *   BOOL      bool name                yes | no                    NULL
 *   CHOICE    unsigned int name        one of max "a|b|c"          NULL; the field is the
 * place in max: have an enum so STRING    const char *name         any text length in
 * bytes PATH      const char *name         absolute path, or empty     NULL (empty
 * allowed), or "1" change: LIVE (a reload takes it over) or RESTART (a reload keeps the
 * old value and says so)
 *
 * Glue of a program, in its settings.h and settings.c:
 *
 *     struct settings {
 *             struct pw_settings_common common;
 *     #define PW PW_SETTING_FIELD
 *     #include "score/settings.def"
 *     #undef PW
 *     };
 *
 *     static const struct pw_setting rows[] = {
 *     #define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
 *     #include "score/settings.def"
 *     #undef PW
 *     };
 *     const struct pw_settings_schema settings_schema = {
 *             "postward-score", "One line for --help.", rows, PW_LEN(rows),
 *             sizeof(struct settings), settings_check,
 *     };
 *
 * `common` must be the first member. */
#pragma once

#include <stddef.h>

#include "core/buf.h"

enum pw_setting_type {
	PW_SETTING_DURATION,
	PW_SETTING_COUNT,
	PW_SETTING_SIZE,
	PW_SETTING_BOOL,
	PW_SETTING_CHOICE,
	PW_SETTING_STRING,
	PW_SETTING_PATH,
};
enum pw_setting_change { PW_SETTING_LIVE, PW_SETTING_RESTART };

struct pw_setting {
	const char *name;
	enum pw_setting_type type;
	const char *fallback, *min, *max;
	enum pw_setting_change change;
	const char *help;
	size_t offset;
};

#define PW_SETTING_FIELD(type, name, fallback, min, max, change, help)                   \
	PW_SETTING_FIELD_##type(name);
#define PW_SETTING_FIELD_DURATION(name) int64_t name##_ms
#define PW_SETTING_FIELD_COUNT(name) int64_t name
#define PW_SETTING_FIELD_SIZE(name) int64_t name##_bytes
#define PW_SETTING_FIELD_BOOL(name) bool name
#define PW_SETTING_FIELD_CHOICE(name) unsigned int name
#define PW_SETTING_FIELD_STRING(name) const char *name
#define PW_SETTING_FIELD_PATH(name) const char *name

#define PW_SETTING_ROW(set, type, name, fallback, min, max, change, help)                \
	{ #name, PW_SETTING_##type,   fallback, min,                                     \
	  max,   PW_SETTING_##change, help,     PW_SETTING_OFFSET_##type(set, name) },
#define PW_SETTING_OFFSET_DURATION(set, name) offsetof(set, name##_ms)
#define PW_SETTING_OFFSET_COUNT(set, name) offsetof(set, name)
#define PW_SETTING_OFFSET_SIZE(set, name) offsetof(set, name##_bytes)
#define PW_SETTING_OFFSET_BOOL(set, name) offsetof(set, name)
#define PW_SETTING_OFFSET_CHOICE(set, name) offsetof(set, name)
#define PW_SETTING_OFFSET_STRING(set, name) offsetof(set, name)
#define PW_SETTING_OFFSET_PATH(set, name) offsetof(set, name)

/* What every program knows; log_target and log_level are enum pw_log_*. */
struct pw_settings_common {
#define PW PW_SETTING_FIELD
#include "io/settings.def"
#undef PW
};

struct pw_settings_schema {
	const char *program; /* "postward-score": also names its file and state folder */
	const char *purpose; /* one line for --help */
	const struct pw_setting *rows; /* the program's own; the common ones are known */
	size_t count;
	size_t size; /* of its struct */
	/* Rules between settings; NULL = none. On false it has said why. */
	bool (*check)(const void *set, struct pw_buf *why_out);
};

/* A text to read settings from. */
struct pw_settings_source {
	const char *name; /* file name for messages; "-o" for an assignment */
	struct pw_str bytes;
	bool is_shared; /* postward.conf: the common names alone */
};

/* Defaults, then each source in turn, later ones win; then ranges and schema->check.
 * Pure.
 *
 * out    address of the program's `struct settings *`; untouched on failure
 * old    NULL = start: an unknown name is an error. Else reload: an unknown name is only
 *        noted, and RESTART settings keep their value of old, which is noted
 * notes  lines (LF at the end of each): every error and warning with file:line
 *
 * Errors  PW_ERR_CONFIG (see notes), PW_ERR_NOMEM
 * Owner   caller, pw_settings_free */
PW_MUST_CHECK enum pw_status pw_settings_build(void *out,
                                               const struct pw_settings_schema *schema,
                                               const struct pw_settings_source *sources,
                                               size_t count, const void *old,
                                               struct pw_buf *notes);
/* set_address: the address of a `struct settings *`; for PW_AUTO. */
void pw_settings_free(void *set_address);

enum pw_settings_print { PW_SETTINGS_ALL, PW_SETTINGS_CHANGED, PW_SETTINGS_DEFAULTS };
/* `name = value` lines, common settings first; what is printed can be read again. */
void pw_settings_print(struct pw_buf *out, const struct pw_settings_schema *schema,
                       const void *set, enum pw_settings_print which);
/* A sample file: every setting with its help, range and default, commented out. */
void pw_settings_sample(struct pw_buf *out, const struct pw_settings_schema *schema);
