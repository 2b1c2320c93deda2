/* Messages whose final dot went out and whose reply nobody has handed on yet: a ring of
 * slots in one block of memory, a mapped file in practice, so that it outlives the
 * process. Pure: no file, no lock, no clock.
 *
 * A message in doubt is perhaps delivered. Its next try is known by a digest of sender,
 * header and body, and goes out under the same transaction id, so that the inner host can
 * drop it if the first one came through. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "core/status.h"

#define LEDGER_ID_BYTES 12
#define LEDGER_KEY_BYTES 32
#define LEDGER_RCPTS_MAX                                                                 \
	12 /* remembered one by one; with more, an entry stays its day                   \
	    */
#define LEDGER_AGE_MS ((int64_t)24 * 3600 * 1000)
#define LEDGER_NONE ((size_t)-1)

/* What a message is known by; keyed hashes. */
struct ledger_key {
	uint8_t sender[8], header[8], whole[32];
};

struct ledger {
	struct ledger_head *head;
	struct ledger_slot *slots;
	size_t count, next;
	size_t doubts; /* slots in doubt, those past their day included */
};

/* Bytes of a block of so many slots. */
size_t ledger_bytes(size_t slots);
/* Make an empty ledger of a block. key: LEDGER_KEY_BYTES of random, for ledger_secret */
void ledger_format(struct ledger *out, void *block, size_t bytes, const uint8_t *key);
/* Take over a block another process left: what it had under way is in doubt now, slots
 * that are not whole are emptied.
 *
 * Errors  PW_ERR_SYNTAX this is no ledger of that size */
PW_MUST_CHECK enum pw_status ledger_attach(struct ledger *out, void *block, size_t bytes);
/* The key the hashes are made with; LEDGER_KEY_BYTES, lives in the block. */
const uint8_t *ledger_secret(const struct ledger *ledger);

/* The final dot is about to go out. rcpts: a hash for each recipient.
 *
 * Returns the slot, or LEDGER_NONE if all are under way. Of entries in doubt the oldest
 * makes room. */
size_t ledger_enter(struct ledger *ledger, const struct ledger_key *key,
                    const uint8_t *id, const uint32_t *rcpts, size_t rcpt_count,
                    int64_t now_ms);
/* No reply came. */
void ledger_doubt(struct ledger *ledger, size_t slot);
/* The reply has been handed on. */
void ledger_clear(struct ledger *ledger, size_t slot);

/* Is anything of that sender (that sender and header) in doubt? */
bool ledger_has_sender(struct ledger *ledger, const struct ledger_key *key,
                       int64_t now_ms);
bool ledger_has_header(struct ledger *ledger, const struct ledger_key *key,
                       int64_t now_ms);
/* Is this very message in doubt? id_out: LEDGER_ID_BYTES, its transaction id. */
bool ledger_find(struct ledger *ledger, const struct ledger_key *key, uint8_t *id_out,
                 int64_t now_ms);
/* It got through for these recipients: what was in doubt is settled for them. */
void ledger_settle(struct ledger *ledger, const struct ledger_key *key,
                   const uint32_t *rcpts, size_t rcpt_count);
