/* Which successful logins are news to the database: a mail program that logs in every few
 * seconds need not write a row each time. One thread owns it. Pure. */
#pragma once

#include "core/auth_line.h"
#include "core/ip.h"

/* Of one login, service and credential, one row in so long, unless the address changed:
 * what the database knows is at most so old while somebody goes on logging in. */
#define LOGINS_EVERY_MS ((int64_t)60 * 1000)
/* Triples remembered; one that was forgotten is news again. */
#define LOGINS_MAX ((size_t)100 * 1000)

struct logins;

struct login_note {
	struct pw_str user, service;
	struct pw_ip address; /* zero = not known */
	int64_t credential;
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, logins_free */
PW_MUST_CHECK enum pw_status logins_new(struct logins **out, const uint8_t seed[16]);
void logins_free(struct logins **logins);
/* Is this to be written? If so it is remembered as written; without memory everything is
 * news. */
bool logins_is_news(struct logins *logins, const struct login_note *note, int64_t now_ms);
