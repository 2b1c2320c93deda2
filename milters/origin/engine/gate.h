/* Which addresses may be sent as an origin. Pure.
 *
 * The inner server believes what it is told: a private or own address would get the
 * rights such addresses have there (tried: with mynetworks set, an open relay). */
#pragma once

#include "core/origin.h"

#define GATE_NETWORKS_MAX 256

/* All zero lets through what is public. */
struct gate {
	struct pw_net networks[GATE_NETWORKS_MAX]; /* settings and own addresses */
	size_t count;
};

/* Errors  PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status gate_add(struct gate *gate, struct pw_net network);
/* "192.0.2.0/24, 2001:db8::/32": parted by blanks or commas.
 *
 * bad_out  on PW_ERR_SYNTAX: the word that is no network
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status gate_add_list(struct gate *gate, struct pw_str list,
                                           struct pw_str *bad_out);
/* NULL: may be sent. Else why not: "missing", "loopback", "private", "reserved",
 * "network" (one of ours), "self" (the address the client connected to). */
const char *gate_objects(const struct gate *gate, const struct pw_origin *origin);
