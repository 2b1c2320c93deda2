/* Who may send as whom: an immutable table from login to sender addresses, compiled from
 * the rows of mail.snapshot_senders. One rule for policyd (MAIL FROM) and dkim (header
 * From). */
#pragma once

#include <stdint.h>

#include "core/str.h"

#define PW_OWNER_ROWS_MAX 20000000
/* Longest login and longest address looked at (bytes); longer ones belong to nobody. */
#define PW_OWNER_NAME_MAX 512

struct pw_owner;

/* seed        16 random bytes for the hash
 * delimiter   what separates a subaddress from its base ('+'); '\0' = there are none
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_owner_free */
PW_MUST_CHECK enum pw_status pw_owner_new(struct pw_owner **out, const uint8_t seed[16],
                                          char delimiter);
void pw_owner_free(struct pw_owner **owner);

/* Let login send as pattern: an address, or "@domain" for every address of the domain.
 * Both in normal form (core/address.h), copied. Adding a row twice is harmless.
 *
 * Errors  PW_ERR_SYNTAX not such names: the row was left out, the rest is good;
 *         PW_ERR_NOMEM; PW_ERR_LIMIT too many rows */
PW_MUST_CHECK enum pw_status pw_owner_add(struct pw_owner *owner, struct pw_str login,
                                          struct pw_str pattern);

/* May login send as address (both in normal form; address has exactly one mailbox)? The
 * address belongs to it exactly, or by its base ("ann+x@d" by "ann@d"), or by "@domain".
 * The null sender belongs to nobody. */
bool pw_owner_may_send(const struct pw_owner *owner, struct pw_str login,
                       struct pw_str address);
/* Is there any row of login? A login that authenticated and is not known here is newer than the
 * rows: the answer to it is temporary. */
bool pw_owner_knows(const struct pw_owner *owner, struct pw_str login);
/* Rows added. */
size_t pw_owner_count(const struct pw_owner *owner);
