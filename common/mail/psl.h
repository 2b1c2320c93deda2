/* Organisational domains by the Public Suffix List (libpsl), read once, shared by all
 * threads. */
#pragma once

#include "core/buf.h"

struct pw_psl;

/* Newest list on this machine, the one built into libpsl at the latest.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_NOTFOUND libpsl has no list and none is installed
 * Owner   caller, pw_psl_free */
PW_MUST_CHECK enum pw_status pw_psl_new(struct pw_psl **out);
void pw_psl_free(struct pw_psl **psl);

/* Organisational domain of a domain, in lower case: a slice of buffer, or what domain was
 * if it is a public suffix, no name, or longer than buffer.
 *
 * RFC  7489 3.2 */
struct pw_str pw_psl_org(const struct pw_psl *psl, struct pw_str domain,
                         char buffer[256]);
