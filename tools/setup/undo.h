/* The way back: files as they were before setup. */
#pragma once

#include "core/arena.h"
#include "tools/setup/backup.h"

/* Put the files back and let the services read them. What is done is said, as lines or as
 * one JSON object.
 *
 * Returns an exit code; EXIT_PROBLEMS where a file stays because it was changed since. */
int setup_undo(struct setup_backup *backup, struct pw_arena *arena, bool is_forced,
               bool is_dry, bool is_json);
