/* DKIM signing (RFC 6376, 8463): relaxed/relaxed, never l=, From and others listed once
 * more than they are there so that none can be added. Own code on OpenSSL; the body is
 * hashed once for all keys. */
#pragma once

#include "core/buf.h"
#include "mail/dkim_key.h"
#include "mail/dkim_names.h"

/* Header fields of the default list; as many others beside them. */
#define PW_DKIM_SIGN_FIELDS_MAX 500
#define PW_DKIM_SIGN_BYTES_MAX ((size_t)1 << 20) /* of all of them together */

struct pw_dkim_signer; /* one message, one thread */

/* line_max: longest line (bytes) that arrives whole; 0 = any does. Postfix breaks lines
 * over 998 (smtp_line_length_limit), which breaks the signature.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO
 * Owner   caller, pw_dkim_signer_free */
PW_MUST_CHECK enum pw_status pw_dkim_signer_new(struct pw_dkim_signer **out,
                                                size_t line_max);
void pw_dkim_signer_free(struct pw_dkim_signer **signer);

/* The next header field: value is everything behind the colon, folds included, without
 * the final line end. Fields beyond the maxima that the default list does not name are
 * left out; a signature that would name one is not made then.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT more than the maxima above */
PW_MUST_CHECK enum pw_status pw_dkim_signer_header(struct pw_dkim_signer *signer,
                                                   struct pw_str name,
                                                   struct pw_str value);
/* Some of the body, lines ended by CRLF, cut anywhere. */
PW_MUST_CHECK enum pw_status pw_dkim_signer_body(struct pw_dkim_signer *signer,
                                                 struct pw_str chunk);

struct pw_dkim_sign_as {
	struct pw_str domain, selector;
	const struct pw_dkim_key *key;
	const struct pw_dkim_names *names; /* NULL = the default ones */
	struct pw_str identity;            /* i=, an address or "@domain"; empty = none */
	int64_t expires_s;                 /* x= so long after t=; 0 = never */
};

/* The message is complete: append the value of one DKIM-Signature field to out, without
 * leading blank, folded with LF and HTAB. May be called again for the next key.
 *
 * Errors  PW_ERR_STATE no From was fed; PW_ERR_LIMIT a signed line is too long to arrive
 *         whole; PW_ERR_RANGE a field to be signed was left out; PW_ERR_SYNTAX a CR or LF
 * that is no line end: verifiers do not agree about those; PW_ERR_CRYPTO; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dkim_signer_sign(struct pw_dkim_signer *signer,
                                                 const struct pw_dkim_sign_as *as,
                                                 struct pw_buf *out, int64_t now_ms);
