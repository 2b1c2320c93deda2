/* How full the mailboxes are, as Dovecot's quota plugin tells us: policyd owns these
 * numbers, the database gets them behind our back. One thread owns the table. Pure. */
#pragma once

#include "core/str.h"

#define USAGE_USERS_MAX ((size_t)10 * 1000 * 1000)
/* Numbers of strangers are clamped to 0..this. */
#define USAGE_NUMBER_MAX (INT64_C(1) << 62)

struct usage;

struct usage_entry {
	struct pw_str user;
	int64_t bytes, messages;
	struct usage_entry *next_changed;
	bool is_changed;
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, usage_free */
PW_MUST_CHECK enum pw_status usage_new(struct usage **out, const uint8_t seed[16]);
void usage_free(struct usage **usage);

/* Set the numbers of user (normal form, copied); they are to be stored.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status usage_set(struct usage *usage, struct pw_str user,
                                       int64_t bytes, int64_t messages);
/* NULL = nothing heard since the start: then the snapshot's number counts. */
const struct usage_entry *usage_find(const struct usage *usage, struct pw_str user);
/* Take one entry off the list of those to be stored; NULL = none. */
const struct usage_entry *usage_next_changed(struct usage *usage);
