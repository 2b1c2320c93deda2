/* How full the mailboxes are, as Dovecot's quota plugin tells us: policyd owns these
 * numbers, the database gets them behind our back. Sums of domains are kept with them.
 * One thread owns the table. Pure. */
#pragma once

#include "policyd/catalog.h"

#define USAGE_USERS_MAX ((size_t)10 * 1000 * 1000)
/* Numbers of strangers are clamped to 0..this. */
#define USAGE_NUMBER_MAX (INT64_C(1) << 62)

struct usage;

/* What a mailbox held when somebody began to count it, us of the monotonic clock. */
struct usage_count {
	int64_t bytes, messages, began_us;
};

struct usage_entry {
	struct pw_str user;
	struct usage_count count;
	int64_t warned_percent; /* the user was told that so much is used; 0 = nothing */
	struct usage_entry *next_changed;
	bool is_changed;
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, usage_free */
PW_MUST_CHECK enum pw_status usage_new(struct usage **out, const uint8_t seed[16]);
void usage_free(struct usage **usage);

/* There is another catalog (or none: NULL). It is borrowed until the next call; so is
 * what usage_set and usage_domain_bytes are given of it. */
void usage_rebase(struct usage *usage, const struct catalog *catalog);

/* A mailbox of the catalog holds so much; it is to be stored. Of two counts the one that
 * began later is true, in whatever order they come: an older one changes nothing.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status usage_set(struct usage *usage,
                                       const struct catalog_entry *mailbox,
                                       const struct usage_count *count);
/* NULL = nothing heard since the start: then the catalog's number counts. */
const struct usage_entry *usage_find(const struct usage *usage, struct pw_str user);
/* Take one entry off the list of those to be stored; NULL = none. */
struct usage_entry *usage_next_changed(struct usage *usage);

/* Bytes in all mailboxes of a domain that has a limit. */
int64_t usage_domain_bytes(struct usage *usage,
                           const struct catalog_quota_domain *domain);
/* Forget mailboxes that are gone from the catalog; looks at steps entries at most, and
 * goes on there the next time. */
void usage_sweep(struct usage *usage, size_t steps);
