/* The usage socket, line by line: how the quota plugin asks for limits and tells usage
 * (docs/usage-socket.md). Pure: a line in, a line out. */
#pragma once

#include "core/buf.h"
#include "policyd/catalog.h"
#include "policyd/usage.h"

#define USAGE_LINE_GREETING "postward-usage\t1"
#define USAGE_LINE_MAX 1024

/* What the answers are made from. */
struct usage_world {
	const struct catalog *catalog; /* NULL = never seen the database */
	bool is_fresh;                 /* may an unknown user be called unknown? */
	struct usage *usage;
};

/* Answer one request line (without its LF; not the greeting) into out, LF included.
 *
 * Errors  PW_ERR_SYNTAX not a request: the peer is not ours, close; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status usage_line_answer(struct pw_buf *out, struct pw_str line,
                                               const struct usage_world *world);
