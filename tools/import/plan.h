/* What an import is to do, before any of it is done: rows as the tables of schema mail
 * take them, each with the line it comes from, and what is left out and why. No files, no
 * database. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"
#include "core/map.h"

enum import_kind {
	IMPORT_DOMAIN,
	IMPORT_ALIAS_DOMAIN,
	IMPORT_USER,
	IMPORT_ALIAS,
	IMPORT_PERMISSION
};
#define IMPORT_KINDS 5

/* The values of a row by kind; the first one is its name. */
enum { DOMAIN_NAME, DOMAIN_ENABLED, DOMAIN_NOTE, DOMAIN_VALUES };
enum {
	ALIAS_DOMAIN_NAME,
	ALIAS_DOMAIN_TARGET,
	ALIAS_DOMAIN_ENABLED,
	ALIAS_DOMAIN_VALUES
};
enum {
	USER_EMAIL,
	USER_QUOTA_MB,
	USER_QUOTA_MESSAGES,
	USER_ENABLED,
	USER_MAY_RECEIVE,
	USER_NAME,
	USER_MAY_IMAP,
	USER_MAY_POP3,
	USER_MAY_SMTP,
	USER_MAY_SIEVE,
	USER_NETS,
	USER_PASSWORD, /* last: an update sets it by itself */
	USER_VALUES
};
enum { ALIAS_SOURCE, ALIAS_DESTINATION, ALIAS_ENABLED, ALIAS_VALUES };
enum { PERMISSION_LOGIN, PERMISSION_PATTERN, PERMISSION_VALUES };
#define IMPORT_VALUES_MAX USER_VALUES

struct import_place {
	const char *file;
	unsigned int line; /* 0 = none in particular */
};

struct import_row {
	struct import_place place;
	enum import_kind kind;
	struct pw_str values[IMPORT_VALUES_MAX]; /* at == NULL: not said there */
	struct import_row *next;
};

/* A line of the report. */
struct import_note {
	struct import_place place;
	struct pw_str what, why;
	struct import_note *next;
};

struct import_notes {
	struct import_note *first, **end;
	size_t count;
};

struct import_plan {
	struct pw_arena *arena;
	struct pw_map *users;   /* address: its row */
	struct pw_map *domains; /* name: its row */
	struct import_row *rows[IMPORT_KINDS], **ends[IMPORT_KINDS];
	struct import_notes skipped;
	struct import_notes locked; /* mailboxes whose password is not taken */
	bool has_domain_list;       /* the source lists its domains: none is made up */
	enum pw_status status;      /* first failure: memory */
};

/* seed is 16 random bytes, for the tables.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status import_plan_init(struct import_plan *plan,
                                              const uint8_t seed[16]);
void import_plan_done(struct import_plan *plan);

/* "mailbox", "alias", ... */
const char *import_kind_text(enum import_kind kind);
/* Add a row. name (and other, for what has a second one: target, destination, pattern)
 * are brought into normal form; what is no name is noted as skipped. Returns NULL for
 * that, for a mailbox that is there already, and without memory. */
struct import_row *import_add(struct import_plan *plan, enum import_kind kind,
                              struct import_place place, struct pw_str name,
                              struct pw_str other);
/* The mailbox of an address in any form; NULL = none. */
struct import_row *import_find_user(const struct import_plan *plan, struct pw_str email);
/* Note that something is not taken. */
void import_skip(struct import_plan *plan, struct import_place place, struct pw_str what,
                 const char *why);
void import_note(struct import_plan *plan, struct import_notes *notes,
                 struct import_place place, struct pw_str what, struct pw_str why);

/* When all is read: make up domains where the source has no list of them, and let a name
 * be a domain or an alias domain, not both. */
void import_settle(struct import_plan *plan);
