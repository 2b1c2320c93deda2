/* What is to be done with a message: pure. */
#pragma once

#include "core/address.h"
#include "dkim/keyring.h"

enum sign_action {
	SIGN_ADD,    /* sign as plan.as says */
	SIGN_NONE,   /* leave it as it is */
	SIGN_REJECT, /* 550 with plan.text */
	SIGN_DEFER,  /* 451 with plan.text */
};

/* Why there is no signature where there should be one. */
enum sign_failure {
	SIGN_NO_KEY,      /* the domain has none, or not yet */
	SIGN_BAD_KEY,     /* none of its keys can be used */
	SIGN_NO_DATABASE, /* never heard from, or not of this login yet */
	SIGN_INTERNAL,    /* anything else of ours */
	SIGN_FAILURES
};

/* What a failure, or a From that is not the login's, leads to. */
struct sign_rules {
	enum sign_action on[SIGN_FAILURES]; /* SIGN_NONE, SIGN_DEFER or SIGN_REJECT */
	bool foreign_passes;
	bool signs_local;
	bool is_stale; /* the database is away: what the keyring lacks may be there */
};

struct sign_message {
	struct pw_str login; /* empty = none */
	bool is_local;       /* came from a local program, not by SMTP */
	size_t from_count;   /* header fields From */
	struct pw_str from;  /* value of the first */
	bool is_too_large;   /* more fields than are signed */
};

/* One signing domain of a message: a signature for each of its keys. */
struct sign_as {
	const struct keyring_domain *domain;
	const struct rule *rule; /* NULL: everything by default */
	struct pw_str identity;  /* i=; empty = none; lives in arena */
};

struct sign_plan {
	enum sign_action action;
	const char *cause; /* static; "" with SIGN_ADD; "inbound" when it is not ours to
	                      judge */
	const char *text;  /* static; what the client is told */
	struct pw_str
		from; /* normal form, empty if there is no such one; lives in arena */
	struct sign_as as[RULES_CHOSEN_MAX];
	size_t count;      /* of as; not 0 with SIGN_ADD */
	size_t signatures; /* made, once it is carried out */
};

/* keyring: NULL = there is no snapshot.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status sign_decide(struct sign_plan *plan, struct pw_arena *arena,
                                         const struct sign_message *message,
                                         const struct keyring *keyring,
                                         const struct sign_rules *rules);
/* The plan when signing itself did not work. */
void sign_fail(struct sign_plan *plan, enum sign_failure failure, const char *cause,
               const struct sign_rules *rules);
/* "sign", "unsigned", "reject", "defer": static text. */
const char *sign_action_text(enum sign_action action);
