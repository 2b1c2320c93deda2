/* What the rows of a login say, and which of its passwords to try in which order. Pure:
 * comparing is verify.c's. */
#pragma once

#include "core/str.h"

/* Longest password a client may send: what is longer matches nothing. */
#define PASSWORD_BYTES_MAX 1024
/* Most rows of one login that are looked at. */
#define CREDENTIALS_MAX 64

/* What comparing a password with a hash costs. */
enum hash_cost {
	HASH_FAST,     /* microseconds: done on the spot */
	HASH_SLOW,     /* milliseconds and more, on purpose: a worker's */
	HASH_TOO_SLOW, /* seconds or minutes: a mistake or an attack, not computed */
};

/* Cost of a `{SCHEME}hash`; of an unknown scheme HASH_SLOW. */
enum hash_cost hash_cost(struct pw_str hash);

/* One row; texts are borrowed, NULL = SQL NULL. */
struct credential {
	const char *user;    /* the mailbox's name */
	const char *hash;    /* {SCHEME}hash */
	int64_t number;      /* 0 = the account's own password, n = an app password */
	const char *refusal; /* why it may not be used even so */
	const char *allow_nets;
	const char *host; /* where the mailbox is, NULL = here */
};

/* What becomes of somebody whose password matches a row. */
enum credential_verdict {
	CREDENTIAL_GOOD,
	CREDENTIAL_DISABLED, /* may not log in */
	CREDENTIAL_EXPIRED,
	CREDENTIAL_NEVER, /* not even compared: the match itself would tell too much */
};

/* reason_out  for DISABLED: what the client may be told; NULL = nothing */
enum credential_verdict credential_judge(const struct credential *row,
                                         const char **reason_out);

/* Put the rows into the order of trying: fast hashes first, so that a device with an app
 * password never costs a slow comparison; else as they came. Rows that nobody can match
 * are left out. Returns how many there are to try. */
size_t credentials_order(struct credential *rows, size_t count);

/* Could this be a login at all? The database is not asked for what no mailbox can be
 * named: empty, overlong, not UTF-8, control characters. */
bool login_is_possible(struct pw_str login);
