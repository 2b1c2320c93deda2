/* A copy of a message that was signed, with what DNS would say of the keys, and what
 * libopendkim makes of it: a second opinion on our own signatures. No clock, no network.
 */
#pragma once

#include "mail/dkim.h"
#include "mail/dkim_key.h"

#define LETTER_BYTES_MAX ((size_t)512 * 1024) /* larger messages are not copied */
#define LETTER_KEYS_MAX 16

struct letter;

enum letter_result {
	LETTER_FINE,
	LETTER_BROKEN,    /* one of our signatures does not hold */
	LETTER_UNDECIDED, /* libopendkim does not look at such a message at all */
	LETTER_RESULTS
};

struct letter_verdict {
	enum letter_result result;
	const char *reason;             /* static; of the broken signature */
	struct pw_str domain, selector; /* of the broken signature; live in the letter */
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, letter_free */
PW_MUST_CHECK enum pw_status letter_new(struct letter **out);
void letter_free(struct letter **letter);

/* As pw_dkim_signer_header and pw_dkim_signer_body are fed.
 *
 * Errors  PW_ERR_NOMEM: too large, or out of memory; then free it */
PW_MUST_CHECK enum pw_status letter_header(struct letter *letter, struct pw_str name,
                                           struct pw_str value);
PW_MUST_CHECK enum pw_status letter_body(struct letter *letter, struct pw_str chunk);
/* One signature that was made: the field's value, and its key. At most LETTER_KEYS_MAX.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT; PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status letter_signature(struct letter *letter, struct pw_str value,
                                              struct pw_str domain,
                                              struct pw_str selector,
                                              const struct pw_dkim_key *key);
/* The queue id, for the log. */
PW_MUST_CHECK enum pw_status letter_name(struct letter *letter, const char *id);
const char *letter_id(const struct letter *letter);

/* Verify every signature that was made.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status letter_verify(struct letter_verdict *out,
                                           struct letter *letter, struct pw_dkim_lib *lib,
                                           int64_t now_ms);
