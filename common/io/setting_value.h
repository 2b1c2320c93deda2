/* One setting's value between text and field; for settings.c. */
#pragma once

#include "core/arena.h"
#include "io/settings.h"

/* Text to the row's field of set; strings live in the arena. On failure the field is
 * untouched and why_out says what is wrong, without the value of a STRING.
 *
 * program  for $program in a PATH
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_RANGE, PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_setting_parse(void *set, const struct pw_setting *row,
                                              struct pw_arena *arena, const char *program,
                                              struct pw_str text, struct pw_buf *why_out);
/* The row's field of set as text that pw_setting_parse reads back to the same value. */
void pw_setting_print(struct pw_buf *out, const struct pw_setting *row, const void *set);
