/* Private keys at rest: sealed under a host key that is in a file, not in the database.
 *
 * A file has a line for each host key, its 32 bytes in base64; the first seals, all open.
 * A sealed key is "pwk1:ID:base64(nonce, text, tag)", AES-256-GCM with domain and
 * selector as associated data, so that no key can be put in the place of another. */
#pragma once

#include "core/buf.h"

#define PW_VAULT_KEYS_MAX 16
#define PW_VAULT_ID 16 /* hexadecimal digits, of a hash of the host key */
#define PW_VAULT_FILE_MAX 16384

struct pw_vault; /* immutable; threads may share it */

/* Read a file's text. Blank lines and those of # are skipped.
 *
 * line_out  where it is wrong
 *
 * Errors  PW_ERR_SYNTAX no key in a line, or none at all (line 0); PW_ERR_LIMIT too many;
 *         PW_ERR_CRYPTO; PW_ERR_NOMEM
 * Owner   caller, pw_vault_free */
PW_MUST_CHECK enum pw_status pw_vault_parse(struct pw_vault **out, struct pw_str text,
                                            unsigned int *line_out);
/* Wipes the keys. */
void pw_vault_free(struct pw_vault **vault);
/* Append the line of a new host key; the buffer then holds a secret.
 *
 * Errors  PW_ERR_CRYPTO no random numbers; the buffer's own */
PW_MUST_CHECK enum pw_status pw_vault_put_new(struct pw_buf *out);

size_t pw_vault_count(const struct pw_vault *vault);
/* Name of a host key, which is no secret; index 0 is the one that seals. */
struct pw_str pw_vault_id(const struct pw_vault *vault, size_t i);

bool pw_vault_is_sealed(struct pw_str text);
/* Seal a private key; appended to out.
 *
 * Errors  PW_ERR_CRYPTO; the buffer's own */
PW_MUST_CHECK enum pw_status pw_vault_seal(const struct pw_vault *vault,
                                           struct pw_str domain, struct pw_str selector,
                                           struct pw_str pem, struct pw_buf *out);
/* Open a sealed one; the private key is appended to out, which is to be wiped.
 *
 * Errors  PW_ERR_NOTFOUND no such host key here; PW_ERR_SYNTAX it is no sealed key;
 *         PW_ERR_CRYPTO it is not what was sealed for this domain and selector */
PW_MUST_CHECK enum pw_status pw_vault_open(const struct pw_vault *vault,
                                           struct pw_str domain, struct pw_str selector,
                                           struct pw_str sealed, struct pw_buf *out);
