/* Where a subcommand's DNS answers come from. */
#pragma once

#include "io/zone.h"

/* Open what was named on the command line.
 *
 * zone         JSON zone file, or NULL
 * dns_servers  without a zone: ADDR[@PORT], ...; NULL or "" = those of /etc/resolv.conf
 * exit_out     set on failure: what to exit with; why has been written to standard error
 *
 * Returns NULL on failure.
 * Owner   caller, pw_resolver_close */
struct pw_resolver *tool_resolver_open(const char *zone, const char *dns_servers,
                                       int *exit_out);
