/* The table every kind of resolver fills in (io/dns.h is what callers use). */
#pragma once

#include "io/dns.h"

struct pw_dns_ticket;

struct pw_resolver_kind {
	/* The name is valid for DNS (pw_dns_name_is_valid). */
	enum pw_status (*ask)(struct pw_resolver *resolver,
	                      const struct pw_dns_question *question,
	                      struct pw_dns_ticket **out);
	/* Does not release the ticket. */
	enum pw_status (*wait)(struct pw_dns_ticket *ticket, int64_t deadline_ms,
	                       struct pw_arena *arena, struct pw_dns_answer *out);
	void (*drop)(struct pw_dns_ticket *ticket);
	void (*close)(struct pw_resolver *resolver);
};

/* First members of the kinds' own structures. */
struct pw_resolver {
	const struct pw_resolver_kind *kind;
};
struct pw_dns_ticket {
	const struct pw_resolver_kind *kind;
};
