/* Files that setup writes: steps towards them, and settings inside of them. */
#pragma once

#include "tools/setup/plan.h"

/* Add the step, unless the file is as it should be: content, mode, owner.
 *
 * value  content; NULL = there should be no file */
void setup_plan_file(struct setup_plan *plan, const struct setup_step *file);
/* A settings file (core/conf.h) with one value put in, other lines as they are.
 *
 * text  as the file is now, may be empty */
void setup_conf_set(struct pw_buf *out, struct pw_str text, const char *name,
                    const char *value);
/* First line of a value in such a file; at is NULL where it is not set. */
struct pw_str setup_conf_value(struct pw_str text, const char *name);
/* All of a file in the plan's memory; NULL where there is none. */
const char *setup_file_text(struct setup_plan *plan, const char *path);
