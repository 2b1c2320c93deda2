/* Makes the keys that rows of SQL ask for, seals what is in clear, and has keys go from
 * state to state, in a thread of its own: private keys are born
 * here and go to the database, never through an administrator's hands. */
#pragma once

#include "db/config.h"

struct maker;

/* config and its texts are copied. Signals should be blocked.
 *
 * host_key  file of the key that seals private ones; made if there is none and nothing
 *           is sealed yet; copied
 * poll_ms  how often to look; maker_poke looks at once
 *
 * Errors  PW_ERR_CONFIG, PW_ERR_NOMEM, PW_ERR_IO (no thread): logged
 * Owner   caller, maker_stop */
PW_MUST_CHECK enum pw_status maker_start(struct maker **out,
                                         const struct pw_db_config *config,
                                         const char *host_key, int64_t poll_ms);
/* Waits for the key at work (seconds at most). */
void maker_stop(struct maker **maker);
/* There may be a request. From any thread; NULL is nobody. */
void maker_poke(struct maker *maker);
