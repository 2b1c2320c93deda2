/* Allow and deny lists, compiled from mail.snapshot_access_lists: addresses and domains
 * by hash, domains and names of clients suffix by suffix, networks by hash of each length
 * there is. Built row by row, then immutable. Pure.
 *
 * The nearest `who` that says something decides: addresses of the recipient, then its
 * domains, then "*". Within one of these allow wins over deny. */
#pragma once

#include "core/ip.h"

#define ACCESS_ROWS_MAX 5000000
/* Names of one recipient: forms of its address and of its domain. */
#define ACCESS_NAMES_MAX 8

struct access;

struct access_entry {
	int64_t id;
	struct pw_str text;        /* of a deny; empty = ours */
	int64_t expires_ms;        /* wall clock; 0 = never */
	bool is_allow, is_dry_run; /* dry run: of a deny */
	bool is_for_logins;        /* for mail of logins too, not of strangers alone */
	bool skips_greylist, skips_limits;
	struct access_entry *next; /* of the same who and pattern */
};

/* Everything in normal form; what is not known is empty. */
struct access_question {
	struct pw_str sender;                      /* empty = null sender */
	struct pw_str addresses[ACCESS_NAMES_MAX]; /* the recipient's, as written first */
	struct pw_str at_domains[ACCESS_NAMES_MAX]; /* "@example.test" */
	size_t address_count, at_domain_count;
	struct pw_ip client; /* unmapped */
	struct pw_str
		client_name; /* lower case; only where name and address point to each
	                        other: Postfix's client_name, empty for its "unknown" */
	bool is_login;
};

struct access_judgement {
	const struct access_entry *deny;    /* what refuses; NULL = nothing */
	const struct access_entry *dry_run; /* would have */
	bool skips_greylist, skips_limits;  /* by what allows it */
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, access_free */
PW_MUST_CHECK enum pw_status access_new(struct access **out, const uint8_t seed[16]);
void access_free(struct access **access);

/* Fields of a row: id, who, kind, pattern, action, text, logins, skip_greylist,
 * skip_limits, expires_ms, dry_run.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_RANGE the row was left out; PW_ERR_NOMEM, PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status access_add(struct access *access,
                                        const struct pw_str *fields);
/* Is there any row? */
bool access_is_empty(const struct access *access);

/* What the lists say. Cannot fail. */
void access_judge(struct access_judgement *out, const struct access *access,
                  const struct access_question *question, int64_t now_wall_ms);
