/* DKIM keys at every name server of their zone: a resolver's cache may show what half of
 * the servers do not. */
#pragma once

#include "tools/dns/survey.h"

/* Ask all name servers of the zone for each key that resolver found to be right, and
 * judge anew: one server without it makes it missing, one that does not answer makes it
 * unknown. Where no name server is known (a closed network) the resolver's word stands.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status dns_authority_confirm(struct dns_survey *survey,
                                                   struct pw_resolver *resolver,
                                                   int64_t deadline_ms);
