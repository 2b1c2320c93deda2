/* DKIM keys: private ones to sign with, public ones as DNS shows them. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

#define PW_DKIM_RSA_BITS_MIN 1024 /* RFC 8301 3.2; less never passes */
#define PW_DKIM_RSA_BITS_MAX 4096 /* of keys to sign with */
/* RFC 8301 3.2: verifiers must take 4096 bits and may take more. A signature of 8192 bits
 * costs a third of a millisecond; more is refused before any arithmetic. */
#define PW_DKIM_RSA_BITS_VERIFIED 8192
#define PW_DKIM_RSA_BITS_NEW 2048
#define PW_DKIM_PEM_MAX 16384 /* bytes of a private key as text */

enum pw_dkim_algorithm { PW_DKIM_RSA_SHA256, PW_DKIM_ED25519_SHA256 };
#define PW_DKIM_ALGORITHMS 2

/* "rsa-sha256", "ed25519-sha256": static text. */
const char *pw_dkim_algorithm_text(enum pw_dkim_algorithm algorithm);
/* Errors  PW_ERR_NOTFOUND */
PW_MUST_CHECK enum pw_status pw_dkim_algorithm_parse(enum pw_dkim_algorithm *out,
                                                     struct pw_str text);

struct pw_dkim_key; /* a private key; threads may share it */

/* Read a private key from PEM (PKCS#8 or traditional), unencrypted.
 *
 * Errors  PW_ERR_SYNTAX not such a key; PW_ERR_RANGE RSA not 1024..4096 bits;
 * PW_ERR_NOMEM Owner   caller, pw_dkim_key_free */
PW_MUST_CHECK enum pw_status pw_dkim_key_load(struct pw_dkim_key **out,
                                              enum pw_dkim_algorithm algorithm,
                                              struct pw_str pem);
/* Make a new key: RSA of 2048 bits, or Ed25519.
 *
 * Errors  PW_ERR_CRYPTO; PW_ERR_NOMEM
 * Owner   caller, pw_dkim_key_free */
PW_MUST_CHECK enum pw_status pw_dkim_key_make(struct pw_dkim_key **out,
                                              enum pw_dkim_algorithm algorithm);
/* Make a new RSA key of so many bits.
 *
 * Errors  PW_ERR_RANGE not 2048..4096; PW_ERR_CRYPTO; PW_ERR_NOMEM
 * Owner   caller, pw_dkim_key_free */
PW_MUST_CHECK enum pw_status pw_dkim_key_make_rsa(struct pw_dkim_key **out, int bits);
/* One owner more of the same key; each frees it. Returns key. */
struct pw_dkim_key *pw_dkim_key_share(struct pw_dkim_key *key);
void pw_dkim_key_free(struct pw_dkim_key **key);

enum pw_dkim_algorithm pw_dkim_key_algorithm(const struct pw_dkim_key *key);
/* The key as PKCS#8 PEM; wipe out when done.
 *
 * Errors  PW_ERR_CRYPTO; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dkim_key_pem(const struct pw_dkim_key *key,
                                             struct pw_buf *out);
/* Its public half as the text of a TXT record: "v=DKIM1; k=rsa; p=MIIB..."
 *
 * Errors  PW_ERR_CRYPTO; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dkim_key_record(const struct pw_dkim_key *key,
                                                struct pw_buf *out);
/* Sign; base64 of the signature is appended to out.
 *
 * Errors  PW_ERR_CRYPTO; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dkim_key_sign(const struct pw_dkim_key *key,
                                              struct pw_str data, struct pw_buf *out);
