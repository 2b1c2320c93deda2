/* Parsed keys that outlive a snapshot: reading a private key takes a tenth of a
 * millisecond and more, so one that the next snapshot still has is not read again. One
 * thread at a time. */
#pragma once

#include "mail/dkim_key.h"

struct keystore;

/* seed: 16 random bytes.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, keystore_free */
PW_MUST_CHECK enum pw_status keystore_new(struct keystore **out, const uint8_t seed[16]);
void keystore_free(struct keystore **store);
/* The key that this text was, as the caller's own; NULL: it is not known. */
struct pw_dkim_key *keystore_find(struct keystore *store,
                                  enum pw_dkim_algorithm algorithm, struct pw_str text);
/* Keep a key beside its owner's.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO; PW_ERR_LIMIT: it is not kept, which harms nobody
 */
enum pw_status keystore_keep(struct keystore *store, enum pw_dkim_algorithm algorithm,
                             struct pw_str text, struct pw_dkim_key *key);
/* A snapshot is complete: keys that it neither found nor kept go.
 *
 * Errors  PW_ERR_NOMEM: then all stay */
enum pw_status keystore_turn(struct keystore *store);
