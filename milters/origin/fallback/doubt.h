/* The ledger of messages in doubt, for all threads, mapped from a file in the state
 * directory: what is written there outlives kill -9 without a system call. */
#pragma once

#include "origin/fallback/ledger.h"

struct doubt;

/* Map the file, making it first if need be. Without one (disk full, no rights, not such a
 * file) it is memory of this process alone, which is logged.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO (no random). Owner  caller, doubt_close */
PW_MUST_CHECK enum pw_status doubt_open(struct doubt **out, const char *folder);
void doubt_close(struct doubt **doubt);

/* As the functions of ledger.h. */
const uint8_t *doubt_secret(const struct doubt *doubt);
size_t doubt_enter(struct doubt *doubt, const struct ledger_key *key, const uint8_t *id,
                   const uint32_t *rcpts, size_t rcpt_count);
/* No reply came. */
void doubt_keep(struct doubt *doubt, size_t slot);
void doubt_clear(struct doubt *doubt, size_t slot);
bool doubt_has_sender(struct doubt *doubt, const struct ledger_key *key);
bool doubt_has_header(struct doubt *doubt, const struct ledger_key *key);
bool doubt_find(struct doubt *doubt, const struct ledger_key *key, uint8_t *id_out);
void doubt_settle(struct doubt *doubt, const struct ledger_key *key,
                  const uint32_t *rcpts, size_t rcpt_count);
