/* What an edge remembers for the time when the inner server is away or does not answer:
 * one for the process, for all threads. */
#pragma once

#include "origin/fallback/doubt.h"
#include "origin/fallback/hold.h"
#include "origin/fallback/known.h"

struct fallback {
	const char *folder; /* state_directory */
	struct known *known;
	struct doubt *doubt;
	struct holds *holds;
};

/* folder, dns_servers  borrowed for its life
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO. Owner  caller, fallback_close */
PW_MUST_CHECK enum pw_status fallback_open(struct fallback **out, const char *folder,
                                           size_t recipients_max,
                                           const char *dns_servers);
void fallback_close(struct fallback **fallback);
