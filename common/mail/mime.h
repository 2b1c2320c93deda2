/* MIME structure (RFC 2045, 2046): Content-Type values, and the walk over a message's
 * parts (used by mail/message.c). */
#pragma once

#include "mail/message.h"

/* A parsed Content-Type or Content-Disposition value. */
struct pw_ctype {
	struct pw_str value; /* "text/html", lower case; empty if it cannot be read */
	struct pw_str boundary, charset, name;
};

/* Parse; slices live in arena.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_ctype_parse(struct pw_ctype *out, struct pw_arena *arena,
                                            struct pw_str text);
/* Fill m->parts and the flags beside them from the fields and the body kept.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_mime_walk(struct pw_message *m);
