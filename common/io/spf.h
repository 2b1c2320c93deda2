/* An SPF check carried out: the machine of core/spf.h, a resolver, one deadline. */
#pragma once

#include "core/spf.h"
#include "io/dns.h"

/* Blocks until the outcome is known, at the latest at deadline_ms (CLOCK_MONOTONIC): what
 * has not been answered by then makes it temperror.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   texts of the outcome live in arena */
PW_MUST_CHECK enum pw_status pw_spf_check(struct pw_spf_outcome *out,
                                          struct pw_arena *arena,
                                          const struct pw_spf_input *input,
                                          struct pw_resolver *resolver,
                                          int64_t deadline_ms);
/* The same for a machine made before: answer all it asks, take its outcome.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_spf_run(struct pw_spf_outcome *out, struct pw_spf *spf,
                                        struct pw_arena *arena,
                                        struct pw_resolver *resolver,
                                        int64_t deadline_ms);
