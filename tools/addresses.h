/* Addresses of this host. */
#pragma once

#include "core/ip.h"

#define ADDRESSES_MAX 64

/* Those of its interfaces that hosts elsewhere can reach: neither loopback nor private.
 * Returns how many, 0 also where they cannot be asked for. */
size_t addresses_public(struct pw_ip *out, size_t max);
