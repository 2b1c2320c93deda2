/* How long the same stamp has been refused: what fails for an hour is no accident. For
 * all threads, in memory of a fixed size; forgotten at the end of the process, and then
 * the hour begins anew. */
#pragma once

#include <stdint.h>

#include "core/str.h"

struct patience;

/* Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO (no random)
 * Owner   caller, patience_free */
PW_MUST_CHECK enum pw_status patience_new(struct patience **out);
void patience_free(struct patience **patience);

/* value: of the stamp. Returns how long ago it was first asked about, in ms; 0 = never
 * yet. Of more than fit the one not asked about for longest is forgotten. */
int64_t patience_ms(struct patience *patience, struct pw_str value, int64_t now_ms);
