/* OpenDKIM's tables: which key files sign which of our domains. Bytes in, keys out; the
 * key files themselves are not looked at. */
#pragma once

#include "core/arena.h"

/* A line of the KeyTable. */
struct opendkim_key {
	struct pw_str name, domain, selector, path;
	const char *file;
	unsigned int line;
	bool is_broken; /* cannot be used, as has been said */
	bool is_known;  /* taken, or said why not */
	struct opendkim_key *next;
};

/* A key to import. */
struct opendkim_wish {
	struct pw_str domain, selector, path;
	const char *file; /* where it says so */
	unsigned int line;
	struct opendkim_wish *next;
};

/* A line that has no counterpart. */
struct opendkim_left {
	struct pw_str what;
	const char *why; /* static text */
	const char *file;
	unsigned int line;
	struct opendkim_left *next;
};

struct opendkim {
	struct pw_arena *arena;
	struct opendkim_key *keys, **keys_end;
	struct opendkim_wish *wishes, **wishes_end;
	struct opendkim_left *left, **left_end;
	bool is_multiple;      /* MultipleSignatures: not only the first line counts */
	enum pw_status status; /* first failure: memory */
};

/* Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status opendkim_init(struct opendkim *o);
void opendkim_done(struct opendkim *o);

/* Read a KeyTable: lines of `name domain:selector:path`. */
void opendkim_read_keys(struct opendkim *o, const char *file, struct pw_str text);
/* Read a SigningTable: lines of `pattern name`. is_refile: a pattern is matched against
 * the whole address, so a bare domain matches nothing. */
void opendkim_read_signing(struct opendkim *o, const char *file, struct pw_str text,
                           bool is_refile);
/* There is no SigningTable: every key signs for its own domain. */
void opendkim_take_all(struct opendkim *o);
/* When all is read: say which keys no line uses. */
void opendkim_settle(struct opendkim *o);
/* One key outright, as Domain, Selector and KeyFile name it. */
void opendkim_wish(struct opendkim *o, const char *file, unsigned int line,
                   struct pw_str domain, struct pw_str selector, struct pw_str path);
void opendkim_leave(struct opendkim *o, const char *file, unsigned int line,
                    struct pw_str what, const char *why);

/* What a pattern of the SigningTable stands for. */
enum opendkim_scope {
	OPENDKIM_DOMAIN,     /* every address of *domain_out */
	OPENDKIM_ADDRESS,    /* one address, or one name in many domains */
	OPENDKIM_SUBDOMAINS, /* what is below a domain, or more than one */
	OPENDKIM_ALL,
	OPENDKIM_NOTHING
};
enum opendkim_scope opendkim_scope(struct pw_str pattern, bool is_refile,
                                   struct pw_str *domain_out);
