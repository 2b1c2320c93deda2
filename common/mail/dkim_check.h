/* What a DKIM signature and a key record must be before any arithmetic: stricter than
 * libopendkim and in one place. Pure. */
#pragma once

#include "core/buf.h"
#include "core/dns.h"
#include "core/taglist.h"

#define PW_DKIM_DRIFT_S 300 /* clocks of signers may be ahead by this */

#define PW_DKIM_NO_VERSION "v= missing" /* the reason where nothing else is wrong */

/* Judge the tags of a DKIM-Signature (RFC 6376 6.1.1, without the key).
 *
 * Returns NULL if fine, else why not, as static text. */
const char *pw_dkim_check_signature(const struct pw_taglist *tags, int64_t now_s);

/* Are the bytes of a tag base64, blanks and folds aside? And is it a domain or selector?
 */
bool pw_dkim_is_base64(struct pw_str value);
bool pw_dkim_is_name(struct pw_str name);

struct pw_dkim_public {
	unsigned bits;
	bool is_test;         /* t=y */
	const char *weakness; /* why a right signature does not count; NULL = it does */
};

/* Judge the answer to the question for a key (RFC 6376 6.1.2, RFC 8301) that is to verify
 * a signature with a= algorithm.
 *
 * record_out   gets the key as a record of minimal text, for libopendkim
 * reason_out   static text when the result is not PW_OK
 *
 * Errors  PW_ERR_AWAY no answer now; PW_ERR_SYNTAX no usable key; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dkim_check_key(struct pw_dkim_public *out,
                                               struct pw_buf *record_out,
                                               const char **reason_out,
                                               const struct pw_dns_answer *answer,
                                               struct pw_str algorithm);
