/* Who can reach what: pure judgements over listening sockets. */
#pragma once

#include "core/ip.h"
#include "tools/check/check.h"

#define LISTENERS_MAX 1024

struct listener {
	struct pw_ip ip; /* all zero bytes = every address */
	unsigned int port;
};

struct listeners {
	struct listener at[LISTENERS_MAX];
	size_t count;
	bool has_public_address; /* the host has an address that others can reach */
};

/* Add those of /proc/net/tcp or tcp6. Pure. */
void listeners_parse(struct listeners *out, struct pw_str text);
/* What must be there, and what must not be public.
 *
 * listen_private  the host's address in the private network; empty = it has none */
void judge_ports(struct check_report *report, const struct listeners *all,
                 enum check_role role, struct pw_str listen_private);
