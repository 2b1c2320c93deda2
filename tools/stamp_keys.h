/* The file of keys with which an edge stamps mail (core/stamp_key.h), as tools make it.
 */
#pragma once

#include "core/stamp_key.h"

#define STAMP_KEYS_FILE "/etc/postward/origin.keys"
#define STAMP_KEYS_OWNER "postward_origin"
/* How long a key is for, where nothing else is said. */
#define STAMP_KEYS_DAYS 400
#define STAMP_KEYS_DAY_S ((int64_t)86400)

/* Append the line of a new key. The buffer then holds a secret.
 *
 * Errors  PW_ERR_CRYPTO (no random numbers), and the buffer's own */
PW_MUST_CHECK enum pw_status stamp_keys_make(struct pw_buf *out, int64_t not_before_s,
                                             int64_t not_after_s);
/* A whole file with one key whose time begins now. */
PW_MUST_CHECK enum pw_status stamp_keys_first(struct pw_buf *out, int64_t now_s);
/* Append what of a file stays: all lines but those of keys that nothing is accepted with
 * any more. Pure.
 *
 * keys  of that file
 *
 * Returns how many keys were left out */
size_t stamp_keys_prune(struct pw_buf *out, struct pw_str file,
                        const struct pw_stamp_keys *keys, int64_t now_s);
