/* Files that hold keys of a program: its rights are those of whoever reads it. */
#pragma once

#include <sys/types.h>

#include "core/str.h"

/* Put text into the file, in one step. Its owner stays who it was; of a new one it is
 * `user`, if there is such a user.
 *
 * Returns  NULL, or why it could not be done */
const char *tool_replace_owned(const char *path, struct pw_str text, mode_t mode,
                               const char *user);
