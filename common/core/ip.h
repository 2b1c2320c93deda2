/* IP addresses and networks as values: parse, print, compare, match. */
#pragma once

#include "core/buf.h"
#include "core/str.h"

enum pw_ip_family { PW_IP_NONE = 0, PW_IP_V4 = 4, PW_IP_V6 = 6 };

/* All zero is "no address". IPv4 uses the first four bytes, the others are zero. */
struct pw_ip {
	uint8_t family; /* enum pw_ip_family */
	uint8_t bytes[16];
};

struct pw_net {
	struct pw_ip ip;
	uint8_t bits; /* 0..32 or 0..128 */
};

/* Parse exactly one literal: dotted quad without leading zeros, or RFC 4291 2.2 text (no
 * zone, no brackets). An IPv4-mapped address stays IPv6: see pw_ip_unmap.
 *
 * Errors  PW_ERR_SYNTAX */
PW_MUST_CHECK enum pw_status pw_ip_parse(struct pw_ip *out, struct pw_str text);
/* From network order bytes, len 4 or 16 (a DNS record, a socket address).
 *
 * Errors  PW_ERR_SYNTAX any other len */
PW_MUST_CHECK enum pw_status pw_ip_from_bytes(struct pw_ip *out, const void *bytes,
                                              size_t len);
/* ::ffff:192.0.2.1 becomes 192.0.2.1; anything else is returned as it is. Call it on the
 * address of every client. */
struct pw_ip pw_ip_unmap(struct pw_ip ip);
/* 127.0.0.0/8 or ::1. */
bool pw_ip_is_loopback(struct pw_ip ip);
/* Of a network that is everybody's own: private, link-local, loopback (RFC 6890). */
bool pw_ip_is_private(struct pw_ip ip);

bool pw_ip_eq(struct pw_ip a, struct pw_ip b);
/* Order for sorting and searching: IPv4 before IPv6, then by bytes. */
int pw_ip_cmp(struct pw_ip a, struct pw_ip b);

/* Dotted quad, or RFC 5952 (shortest, lower case, mapped as ::ffff:192.0.2.1). */
void pw_ip_put(struct pw_buf *out, struct pw_ip ip);
/* "1.2.0.192" or 32 nibbles with dots, least significant first: what DNS lists and
 * in-addr.arpa, ip6.arpa put before their zone. No final dot. */
void pw_ip_put_reversed(struct pw_buf *out, struct pw_ip ip);

/* "192.0.2.0/24", "2001:db8::/32", or a single address. Host bits may be set (ignored).
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_RANGE (prefix too long) */
PW_MUST_CHECK enum pw_status pw_net_parse(struct pw_net *out, struct pw_str text);
/* False when the families differ. */
bool pw_net_contains(const struct pw_net *net, struct pw_ip ip);
/* "192.0.2.0/24"; host bits are not cleared. */
void pw_net_put(struct pw_buf *out, const struct pw_net *net);
/* The network a client is taken for where its neighbours are likely itself again: IPv4
 * /24, IPv6 /64, host bits cleared. */
struct pw_net pw_net_of_client(struct pw_ip ip);
