/* Single values out of settings files, for who is not the program they are for. */
#pragma once

#include "core/buf.h"

/* Append the last value of a name in a file, or fallback where the file or the name is
 * not there. */
void settings_file_value_of(struct pw_buf *out, const char *path, const char *name,
                            const char *fallback);
/* What a daemon goes by: its own file, else postward.conf, else fallback.
 *
 * program  "postward-score" */
void settings_file_value(struct pw_buf *out, const char *program, const char *name,
                         const char *fallback);
/* Its state directory. */
void settings_file_state(struct pw_buf *out, const char *program);
