/* A list of networks, as settings name them. */
#pragma once

#include "core/ip.h"

#define PW_NETS_MAX 64

/* All zero is empty: contains nobody. */
struct pw_nets {
	size_t count;
	struct pw_net nets[PW_NETS_MAX];
};

/* Append "192.0.2.0/24, 2001:db8::/32", parted by blanks or commas.
 *
 * bad_out  on PW_ERR_SYNTAX and PW_ERR_RANGE: the word that is no network
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_RANGE, PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status pw_nets_parse(struct pw_nets *out, struct pw_str text,
                                           struct pw_str *bad_out);
/* Is the address, unmapped, in one of them? No address is in none. */
bool pw_nets_contain(const struct pw_nets *nets, struct pw_ip ip);
