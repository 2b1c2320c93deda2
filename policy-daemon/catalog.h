/* What the database says, as the decisions need it: addresses, aliases, quotas, owners
 * and rate rules of one generation. Built row by row, then immutable. Pure. */
#pragma once

#include "core/owner.h"
#include "policyd/access.h"
#include "policyd/access_settings.h"
#include "policyd/posting.h"
#include "policyd/rules.h"

#define CATALOG_ROWS_MAX 20000000
/* Most columns of a table. */
#define CATALOG_COLUMNS_MAX 32

/* The views it is built from; the place is the number of the query. */
enum catalog_table {
	CATALOG_ADDRESSES,
	CATALOG_DOMAINS,
	CATALOG_ALIASES,
	CATALOG_QUOTAS,
	CATALOG_SENDERS,
	CATALOG_RATE_LIMITS,
	CATALOG_AUTH_LIMITS,
	CATALOG_AUTH_EXEMPTIONS,
	CATALOG_LOGINS,
	CATALOG_LOGIN_CHANGES,
	CATALOG_SETTINGS,
	CATALOG_WARNINGS,
	CATALOG_BANS,
	CATALOG_RATE_EXEMPTIONS,
	CATALOG_RATE_RESETS,
	CATALOG_RATE_NOTICES,
	CATALOG_SENDING_BLOCKS,
	CATALOG_ACCESS_LISTS,
	CATALOG_POSTING_RIGHTS,
	CATALOG_ACCESS_SETTINGS,
	CATALOG_TABLES,
};

/* What failed logins are counted by, and after it what is blocked by hand. */
enum auth_kind {
	AUTH_NETWORK,
	AUTH_LOGIN,
	AUTH_SPRAY,
	AUTH_RULES, /* those before have one */
	AUTH_NETWORK_BY_HAND = AUTH_RULES,
	AUTH_LOGIN_BY_HAND,
	AUTH_KINDS,
};

/* So many failures in a period block for so long. */
struct catalog_auth_rule {
	int64_t failures, period_ms, block_ms;
	bool is_dry_run;
	bool is_distinct; /* the same password again counts nothing */
};

struct catalog_destination {
	struct pw_str address;
	struct catalog_destination *next;
};

/* A domain whose mailboxes together have a limit. */
struct catalog_quota_domain {
	struct pw_str name;
	int64_t quota_bytes;
	uint64_t used_bytes; /* sum over its mailboxes, each CATALOG_SHARE_MAX at most */
};
#define CATALOG_SHARE_MAX (INT64_C(1) << 40)

/* What the user of a mailbox is told when so much is used. */
struct catalog_warning {
	int64_t percent;
	struct pw_str subject, text;
	struct catalog_warning *next;
};

/* What holds for all mailboxes. */
struct catalog_quotas {
	int64_t grace_percent; /* of its limit, that a delivery may go over it */
	struct catalog_warning *warnings;
};

/* One address, or "@domain" for a catch-all. */
struct catalog_entry {
	struct pw_str address;
	struct catalog_destination
		*destinations;               /* what an alias names; NULL = no alias */
	bool is_mailbox, is_refused;         /* refused: a mailbox that takes no mail */
	int64_t quota_bytes, quota_messages; /* 0 = unlimited */
	int64_t used_bytes, used_messages;   /* as the database remembered it */
	int64_t warned_percent;
	struct catalog_quota_domain *quota_domain; /* NULL = no limit of the domain */
};

/* A login that may send as an address, or "@domain", that is not its own. */
struct catalog_sender {
	struct pw_str login;
	struct catalog_sender *next; /* of the same pattern */
};

/* An account that may not send, or not for ever. */
struct catalog_login {
	bool may_send;
	struct pw_str refusal; /* why not */
	int64_t expires_ms;    /* wall clock; 0 = never */
};

/* A client the edge host is to turn away. */
struct catalog_ban {
	struct catalog_ban *next;
	struct pw_net net;
	int64_t until_ms; /* wall clock */
};

/* Somebody's right to log in changed. */
struct catalog_change {
	int64_t generation;
	struct pw_str login; /* or "@domain" */
	struct pw_str why;   /* password, refused, app_password, deleted, changed */
	struct catalog_change *next;
};

/* Somebody's counter was set to zero. */
struct catalog_reset {
	int64_t id;        /* grows */
	int64_t rule_id;   /* 0 = of all rules */
	struct pw_str who; /* key text; empty = everybody's */
	struct catalog_reset *next;
};

/* What who is told that ran into a limit, or the admin about it. */
struct catalog_notice {
	struct pw_str subject, text;
};

struct catalog;

/* seed        16 random bytes for the hashes
 * delimiter   of subaddresses ('+'); '\0' = there are none
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, catalog_free */
PW_MUST_CHECK enum pw_status catalog_new(struct catalog **out, const uint8_t seed[16],
                                         char delimiter);
void catalog_free(struct catalog **catalog);

/* How many columns the rows of a table have, and the statement that yields them. */
size_t catalog_columns(enum catalog_table table);
const char *catalog_sql(enum catalog_table table);

/* Add one row; fields in the text form of PostgreSQL, copied; NULL has at == NULL.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_RANGE a field cannot be used: the row was left out, the
 *         rest is good; PW_ERR_NOMEM, PW_ERR_LIMIT: the catalog is unusable */
PW_MUST_CHECK enum pw_status catalog_add(struct catalog *catalog,
                                         enum catalog_table table,
                                         const struct pw_str *fields);

const struct pw_owner *catalog_owner(const struct catalog *catalog);
/* Entry of a normalised address, or of "@domain"; NULL = there is none. */
const struct catalog_entry *catalog_find(const struct catalog *catalog,
                                         struct pw_str address);
/* Is domain one of ours? target_out: the domain it is an alias of, else empty. */
bool catalog_domain(const struct catalog *catalog, struct pw_str domain,
                    struct pw_str *target_out);
char catalog_delimiter(const struct catalog *catalog);
const struct catalog_quotas *catalog_quotas(const struct catalog *catalog);

/* Logins that may send as a pattern; not those whose own address it is, or would be in
 * the domain that its domain stands for. NULL = none. */
const struct catalog_sender *catalog_senders(const struct catalog *catalog,
                                             struct pw_str pattern);

/* The limits of sending. */
const struct rules *catalog_rules(const struct catalog *catalog);
/* Counters set to zero lately, the oldest first; NULL = none. */
const struct catalog_reset *catalog_resets(const struct catalog *catalog);
/* RULE_USER or RULE_ADMIN; NULL = there is none. */
const struct catalog_notice *catalog_notice(const struct catalog *catalog,
                                            enum rule_tell tell);
/* Whom the admin's notices go to; empty = nobody. */
struct pw_str catalog_rate_admin(const struct catalog *catalog);
/* Until when a login may not send, wall clock; 0 = it may. */
int64_t catalog_blocked_until_ms(const struct catalog *catalog, struct pw_str login);

/* Word of a kind, in SQL and in logs: "network". */
const char *catalog_auth_kind_name(enum auth_kind kind);
/* The rule of failed logins of that kind, one of AUTH_RULES; NULL = they are not counted.
 */
const struct catalog_auth_rule *catalog_auth_rule(const struct catalog *catalog,
                                                  enum auth_kind kind);
/* Is ip in a network whose failed logins do not count? */
bool catalog_is_exempt(const struct catalog *catalog, struct pw_ip ip);

/* Has a network an address of those in it? */
bool catalog_has_exempt(const struct catalog *catalog, const struct pw_net *net);
/* Bans of SQL, the newest first; NULL = none. */
const struct catalog_ban *catalog_bans(const struct catalog *catalog);

/* What is special about the account of a normalised login; NULL = nothing. */
const struct catalog_login *catalog_login(const struct catalog *catalog,
                                          struct pw_str login);
/* Walk what catalog_login finds: start with *pos = 0; NULL at the end. */
const struct catalog_login *catalog_next_login(const struct catalog *catalog, size_t *pos,
                                               struct pw_str *login_out);
/* The latest changes, oldest first; NULL = none. */
const struct catalog_change *catalog_changes(const struct catalog *catalog);

/* Who is let in and who is not, who may write to lists, greylisting and stolen accounts.
 */
const struct access *catalog_access(const struct catalog *catalog);
const struct posting *catalog_posting(const struct catalog *catalog);
const struct access_settings *catalog_access_settings(const struct catalog *catalog);
