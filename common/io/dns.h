/* Asking the DNS: file questions early, wait for each once, under a deadline.
 *
 * A struct pw_resolver is libunbound (pw_dns_open) or a zone file (io/zone.h). Questions
 * may be filed and waited for by any thread; one ticket belongs to one thread at a time.
 */
#pragma once

#include "core/dns.h"

#define PW_DNS_IN_FLIGHT_MAX                                                             \
	8192 /* questions without an answer yet, all threads together */

struct pw_resolver;
struct pw_dns_ticket;

/* Resolver on libunbound, with a cache of its own (positive and negative answers by TTL).
 *
 * servers  "192.0.2.53, 192.0.2.54@5353": forward to these (libunbound(3),
 * ub_ctx_set_fwd); empty: those of /etc/resolv.conf
 *
 * Errors  PW_ERR_CONFIG servers cannot be parsed; PW_ERR_IO resolv.conf cannot be read,
 * or no thread; PW_ERR_NOMEM Owner   caller, pw_resolver_close, when no ticket is left
 * with any thread */
PW_MUST_CHECK enum pw_status pw_dns_open(struct pw_resolver **out, struct pw_str servers);
void pw_resolver_close(struct pw_resolver **resolver);

/* File a question; returns at once. The name is copied. Names that DNS cannot carry are
 * answered NXDOMAIN.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller: one pw_dns_wait or pw_dns_drop */
PW_MUST_CHECK enum pw_status pw_dns_ask(struct pw_resolver *resolver,
                                        const struct pw_dns_question *question,
                                        struct pw_dns_ticket **out);
/* Wait for the answer until deadline_ms (CLOCK_MONOTONIC) and clear *ticket. A deadline
 * that passes is an answer: rcode TIMEOUT. What was asked goes on and may fill the cache.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   the answer lives in arena */
PW_MUST_CHECK enum pw_status pw_dns_wait(struct pw_dns_ticket **ticket,
                                         int64_t deadline_ms, struct pw_arena *arena,
                                         struct pw_dns_answer *out);
/* Lose interest; for PW_AUTO. Never blocks. */
void pw_dns_drop(struct pw_dns_ticket **ticket);

/* Ask and wait in one. */
PW_MUST_CHECK enum pw_status pw_dns_lookup(struct pw_resolver *resolver,
                                           const struct pw_dns_question *question,
                                           int64_t deadline_ms, struct pw_arena *arena,
                                           struct pw_dns_answer *out);
