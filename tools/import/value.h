/* Values of a plan's rows, from what the files have. */
#pragma once

#include "tools/import/plan.h"

/* Copy of text in the plan's memory; NULL stays NULL. */
struct pw_str import_copy(struct import_plan *plan, struct pw_str text);
/* The same of words for people: bytes that are not UTF-8 become U+FFFD. */
struct pw_str import_words(struct import_plan *plan, struct pw_str text);
/* The same of a number. */
struct pw_str import_number(struct import_plan *plan, int64_t n);
struct pw_str import_bool(bool is_true);

/* Set a mailbox's password from what was found for it; what cannot be kept is noted. */
void import_set_password(struct import_plan *plan, struct import_row *user,
                         struct pw_str hash);
/* Bytes as MiB, rounded up; 0 and less are no limit. */
void import_set_quota(struct import_plan *plan, struct import_row *user, int64_t bytes);
