/* Pure judgements over what hosts of other people said. */
#pragma once

#include "core/dns.h"
#include "tools/check/check.h"

/* A list of addresses that send spam (RFC 5782). */
struct list {
	const char *zone;
	bool has_v6;
	const char *page; /* where an address is looked up and taken off */
};

/* What a list said about one of our addresses. Returns whether it answers us at all:
 * 127.0.0.2 is on every list.
 *
 * answer, test  of the address, and of 127.0.0.2 */
bool judge_listing(struct check_report *report, const struct list *list, struct pw_ip ip,
                   const struct pw_dns_answer *answer, const struct pw_dns_answer *test);
/* Host and port of "[10.9.0.1]:2525", "[relay.example.net]", "relay.example.net:587". The
 * port is 25 if there is none.
 *
 * Returns false for what is none. */
bool parse_relay(struct pw_str relayhost, struct pw_str *host_out,
                 unsigned int *port_out);
