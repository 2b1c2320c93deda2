/* The syntax of settings files, Postfix style: `name = value`, lines that begin with a
 * blank continue the value, `#` as first thing of a line begins a comment. Bytes in,
 * pairs out: what the names mean is the business of io/settings.h (daemons) or of a
 * guest. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

#define PW_CONF_NAME_MAX 64
#define PW_CONF_VALUE_MAX 65536

struct pw_conf {
	struct pw_str rest; /* what is still to be read */
	unsigned int line;  /* of the pair last returned; on error of the faulty line */
	/* private */
	unsigned int next_line;
	const char *why;
};

/* name: letters, digits, underscore. value: continuation lines joined by their own
 * blanks, no blanks at either end, may be empty. Both live in the arena. */
struct pw_conf_pair {
	struct pw_str name, value;
};

/* Begin to read bytes (borrowed until the end). CRLF line ends and a missing last line
 * end are fine. */
void pw_conf_init(struct pw_conf *conf, struct pw_str bytes);

/* Next pair.
 *
 * Errors  PW_ERR_NOTFOUND at the end; PW_ERR_SYNTAX, PW_ERR_LIMIT (pw_conf_why and
 * conf->line say what and where; reading cannot go on); PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_conf_next(struct pw_conf *conf, struct pw_arena *arena,
                                          struct pw_conf_pair *out);
/* Static text for the last error, e.g. "missing '='". */
const char *pw_conf_why(const struct pw_conf *conf);
