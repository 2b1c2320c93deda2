/* Which header fields a DKIM signature names, and which once more than they are there so
 * that none can be added (RFC 6376 5.4, 8.15). Pure. */
#pragma once

#include "core/arena.h"
#include "core/str.h"

#define PW_DKIM_NAMES_MAX 64 /* of one list */

enum pw_dkim_oversign {
	PW_DKIM_AS_OFTEN, /* as often as it is there */
	PW_DKIM_IF_THERE, /* once more where it is there at all: relays add missing ones
	                   */
	PW_DKIM_ALWAYS,   /* once more, also where it is not there */
};

struct pw_dkim_name {
	struct pw_str name;
	enum pw_dkim_oversign oversign;
};

/* In the order of h=; From is the first. Immutable. */
struct pw_dkim_names {
	const struct pw_dkim_name *at;
	size_t count;
};

/* RFC 6376 5.4.1, with what a reader sees or a reader's program acts on. */
const struct pw_dkim_names *pw_dkim_names_default(void);
/* A list of one's own: names with blanks between them.
 *
 * headers   empty: the default ones; with "+" as first word: those and these; else these
 *           alone. From is always there
 * oversign  empty: as the default list has it; else these always (and From), no others
 *
 * Errors  PW_ERR_SYNTAX no field name, one that changes on the way (Received, Bcc, ...),
 *         or one of `oversign` that is not signed; PW_ERR_LIMIT; PW_ERR_NOMEM
 * Owner   lives in arena */
PW_MUST_CHECK enum pw_status pw_dkim_names_parse(const struct pw_dkim_names **out,
                                                 struct pw_arena *arena,
                                                 struct pw_str headers,
                                                 struct pw_str oversign);
/* Is it one of them? Case is ignored. */
bool pw_dkim_names_has(const struct pw_dkim_names *names, struct pw_str name);
