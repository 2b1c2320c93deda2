/* The header of a signed message looked at with our own core, where libopendkim does not:
 * its buffer holds no RSA key above 4096 bits, and it passes over the drafts' signatures.
 */
#pragma once

#include "mail/arc_chain.h"

/* Does the nth (from 0) DKIM-Signature of a header fit it? The body's hash is not looked
 * at.
 *
 * fields   the whole header, in order; NULL is not known, and nothing fits
 * record   as pw_dkim_check_key gives it
 *
 * Errors  PW_ERR_CRYPTO it does not, or not of a kind that is looked at (rsa-sha1);
 *         PW_ERR_NOMEM
 * RFC     6376 3.7 */
PW_MUST_CHECK enum pw_status pw_dkim_check_header(const struct pw_arc_field *fields,
                                                  size_t count, size_t nth,
                                                  struct pw_str record);
