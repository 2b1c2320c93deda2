/* Keys that edge and inner host share: with one the edge stamps messages (core/stamp.h),
 * with all of them the inner host reads stamps.
 *
 * The file (0600; made by `postwardctl edge keys`) has a line for each key, # begins a
 * comment:
 *
 *     ID NOT-BEFORE NOT-AFTER BASE64
 *
 * Dates are "2026-11-30T00:00:00Z", or the day alone. */
#pragma once

#include "core/buf.h"

#define PW_STAMP_KEYS_MAX 32
#define PW_STAMP_KEY_BYTES 32
#define PW_STAMP_KEY_ID 8 /* hexadecimal digits */
#define PW_STAMP_KEY_FILE_MAX ((size_t)64 * 1024)
/* An edge's queue may hold mail for five days, and bounces after it. */
#define PW_STAMP_KEY_GRACE_S ((int64_t)8 * 86400)
/* How far ahead the other host's clock may be. */
#define PW_STAMP_SKEW_S 300

struct pw_stamp_key {
	char id[PW_STAMP_KEY_ID + 1];
	int64_t not_before_s, not_after_s;
	uint8_t mac[32], addr[32]; /* derived; the key itself is not kept */
};

/* Embedded by callers; holds secrets: pw_stamp_keys_done. */
struct pw_stamp_keys {
	size_t count;
	struct pw_stamp_key keys[PW_STAMP_KEYS_MAX];
};

/* Read a key file. A file without a key is one too: no stamp is made, none accepted.
 *
 * why_out  on PW_ERR_SYNTAX and PW_ERR_LIMIT: "line N: what", never of the key
 *
 * Errors  PW_ERR_SYNTAX (the id is not the key's; an id twice; dates), PW_ERR_LIMIT,
 *         PW_ERR_CRYPTO; out then holds no key
 * Owner   caller, pw_stamp_keys_done */
PW_MUST_CHECK enum pw_status pw_stamp_keys_parse(struct pw_stamp_keys *out,
                                                 struct pw_str file,
                                                 struct pw_buf *why_out);
/* Wipe. */
void pw_stamp_keys_done(struct pw_stamp_keys *keys);

/* The key to stamp with: of those whose time it is, the one whose time began last. NULL =
 * none. */
const struct pw_stamp_key *pw_stamp_keys_signer(const struct pw_stamp_keys *keys,
                                                int64_t now_s);
/* The key of that id, or NULL. */
const struct pw_stamp_key *pw_stamp_keys_find(const struct pw_stamp_keys *keys,
                                              struct pw_str id);
/* May a stamp of that key be accepted: its time has begun (PW_STAMP_SKEW_S early is
 * taken), and is not over for more than PW_STAMP_KEY_GRACE_S? */
bool pw_stamp_key_is_valid(const struct pw_stamp_key *key, int64_t now_s);

/* Append the line of a new key, LF at its end. raw: PW_STAMP_KEY_BYTES random bytes; the
 * buffer then holds a secret.
 *
 * Errors  the buffer's own */
PW_MUST_CHECK enum pw_status pw_stamp_key_put_line(struct pw_buf *out, const uint8_t *raw,
                                                   int64_t not_before_s,
                                                   int64_t not_after_s);
/* "2026-11-30T00:00:00Z", as in the file. */
void pw_stamp_key_put_date(struct pw_buf *out, int64_t unix_s);
