/* What an administrator wants of setup: the command line, what earlier runs remember, and
 * defaults. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

enum setup_role {
	SETUP_SINGLE = 1,
	SETUP_EDGE = 2,
	SETUP_INNER = 4,
	SETUP_LINK = 8, /* an inner host of another kind: what the edge needs of it, and
	                 * no role that anybody can ask for */
};

/* Where setup remembers its answers. */
#define SETUP_CONF "/etc/postward/setup.conf"
#define SETUP_DATABASE "dbname=postward" /* as the programs' default */

/* Texts not given are NULL. */
struct setup_wish {
	const char *role_name, *domain, *hostname, *admin;
	const char *listen; /* --listen-private */
	const char *peer, *certificate, *key, *database;
	const char *fallback;   /* of an edge: "queue" or "defer" */
	const char *postscreen; /* of an edge: "yes" or "no" */
	const char
		*tables; /* of Postfix where the mailboxes are: "socketmap" or "pgsql" */
	/* of these answers */
	enum setup_role role;
};

/* Fill in what is not given from an earlier run's SETUP_CONF.
 *
 * Errors  PW_ERR_CONFIG (why says what), PW_ERR_IO, PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status
setup_wish_remember(struct setup_wish *wish, struct pw_arena *arena, struct pw_buf *why);
/* What is still not given, as far as it can be guessed.
 *
 * myhostname  of Postfix now, "" = unknown */
void setup_wish_guess(struct setup_wish *wish, struct pw_arena *arena,
                      const char *myhostname);
/* Ask on the terminal, the guesses being offered. Returns false when nobody answers. */
bool setup_wish_ask(struct setup_wish *wish, struct pw_arena *arena,
                    const char *myhostname);
/* Lower the case of names, check each answer and that they fit together.
 *
 * Errors  PW_ERR_CONFIG: why says what is wrong; is_usage_out: something is missing
 * rather than wrong */
PW_MUST_CHECK enum pw_status setup_wish_check(struct setup_wish *wish,
                                              struct pw_arena *arena, struct pw_buf *why,
                                              bool *is_usage_out);
bool setup_wish_queues(const struct setup_wish *wish);
bool setup_wish_screens(const struct setup_wish *wish);
bool setup_wish_asks_sql(const struct setup_wish *wish);
/* As SETUP_CONF has it. */
void setup_wish_print(struct pw_buf *out, const struct setup_wish *wish);
