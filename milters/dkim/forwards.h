/* Which addresses of ours lead outside, as mail.snapshot_forwards has it. */
#pragma once

#include "core/buf.h"

struct forwards;

/* seed: 16 random bytes. delimiter: as in core/owner.h.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, forwards_free */
PW_MUST_CHECK enum pw_status forwards_new(struct forwards **out, const uint8_t seed[16],
                                          char delimiter);
void forwards_free(struct forwards **forwards);

/* An address or "@domain" in normal form; is_outside: some of its mail goes to a foreign
 * address. And a domain of ours, with the one it stands for (empty: none).
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status forwards_add(struct forwards *forwards,
                                          struct pw_str address, bool is_outside);
PW_MUST_CHECK enum pw_status
forwards_add_domain(struct forwards *forwards, struct pw_str name, struct pw_str target);
/* Does mail for a recipient (in normal form) go outside, by the steps of
 * mail.resolve_step? domain_out: its domain, that of an alias domain's target; slices of
 * recipient or of forwards.
 *
 * Errors  PW_ERR_NOTFOUND it does not; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status forwards_find(const struct forwards *forwards,
                                           struct pw_str recipient,
                                           struct pw_str *domain_out);
/* The same for a name alone: the domain of ours that it is or stands for; at is NULL when
 * it is none. */
struct pw_str forwards_domain(const struct forwards *forwards, struct pw_str name);
