/* When to ask the database again for many rows: one that found it too much is not asked
 * every second. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

/* After an answer that took too long, or a refusal. */
#define AGAIN_FAILED_MS 60000
/* After a connection that was not there: that costs the database nothing. */
#define AGAIN_AWAY_MS 1000

struct again {
	int64_t next_ms; /* 0 = never asked */
};
bool again_is_due(const struct again *again, int64_t now_ms);
/* It was asked, and this came of it; after an answer it is asked every_ms later. */
void again_asked(struct again *again, enum pw_status result, int64_t every_ms,
                 int64_t now_ms);
