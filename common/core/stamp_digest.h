/* The digest of a stamp: SHA-256 over the last header fields of a message (as DKIM's
 * relaxed header canonicalisation has them, RFC 6376 3.4.2), an empty line, and the body
 * without empty lines at its end (simple, 3.4.3). Counted from the bottom, fields that
 * hosts add on top change nothing. */
#pragma once

#include "core/stamp.h"

#define PW_STAMP_HEADER_MAX ((size_t)1024 * 1024) /* bytes of all fields */
#define PW_STAMP_ALL_FIELDS UINT32_MAX

struct pw_stamp_digest;

/* For one message after another. An edge digests as it goes (all fields count); who
 * checks a stamp keeps the fields until it knows how many there are.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO
 * Owner   caller, pw_stamp_digest_free */
PW_MUST_CHECK enum pw_status pw_stamp_digest_new(struct pw_stamp_digest **out);
void pw_stamp_digest_free(struct pw_stamp_digest **digest);

/* Begin a message. last: how many fields count (the stamp's `fields`), or
 * PW_STAMP_ALL_FIELDS. */
void pw_stamp_digest_begin(struct pw_stamp_digest *digest, uint32_t last);
/* The next field, value as kit gives it: all that follows the colon, folds as LF or CRLF.
 */
void pw_stamp_digest_field(struct pw_stamp_digest *digest, struct pw_str name,
                           struct pw_str value);
/* Some of the body, CRLF line ends; chunks may be cut anywhere. */
void pw_stamp_digest_body(struct pw_stamp_digest *digest, struct pw_str chunk);
/* The message is complete.
 *
 * out         PW_STAMP_DIGEST bytes
 * fields_out  how many fields were digested; fewer than `last` if there are fewer
 *
 * Errors  PW_ERR_LIMIT (more than PW_STAMP_HEADER_MAX of header), PW_ERR_NOMEM,
 *         PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status pw_stamp_digest_end(struct pw_stamp_digest *digest,
                                                 uint8_t *out, uint32_t *fields_out);
