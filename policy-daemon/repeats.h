/* Which failed logins repeat one: of each pair of login and network, when one failed last
 * and which passwords were wrong of late. A mail program with a password of yesterday
 * tries it for hours; who guesses tries different ones. One thread owns it. Pure.
 *
 * Memory: at most REPEATS_PAIRS_MAX pairs and of each the REPEATS_PASSWORDS_MAX passwords
 * noted last; what happened longest ago is forgotten for what is new, and is new when it
 * comes again. */
#pragma once

#include "core/str.h"

#define REPEATS_PAIRS_MAX ((size_t)50 * 1000)
#define REPEATS_PASSWORDS_MAX 16
#define REPEATS_NEVER INT64_MAX

struct repeats;

/* How long ago the same was noted; REPEATS_NEVER = as far as is known it was not. */
struct repeats_age {
	int64_t pair_ms;     /* the same login from the same network */
	int64_t password_ms; /* with the same password */
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, repeats_free */
PW_MUST_CHECK enum pw_status repeats_new(struct repeats **out, const uint8_t seed[16]);
void repeats_free(struct repeats **repeats);
/* Note a failure. Without memory it is new, and is not remembered.
 *
 * pair      names network and login
 * password  its short hash, 1..65535; 0 = not known, and none like another */
struct repeats_age repeats_note(struct repeats *repeats, struct pw_str pair,
                                int64_t password, int64_t now_ms);
/* Forget pairs not noted since since_ms, a few of the oldest at a time. */
void repeats_sweep(struct repeats *repeats, int64_t since_ms);
