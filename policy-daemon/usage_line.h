/* The usage socket, line by line: how the quota plugin tells usage and is told limits
 * (docs/usage-socket.md). Pure: lines in, lines out. */
#pragma once

#include "core/buf.h"
#include "policyd/usage.h"

#define USAGE_LINE_GREETING "postward-usage\t2"
#define USAGE_LINE_MAX 1024
/* Users one connection may watch at once. */
#define USAGE_WATCHES_MAX 1000

/* What the answers are made from. */
struct usage_world {
	const struct catalog *catalog; /* NULL = never seen the database */
	bool is_fresh;                 /* may an unknown user be called unknown? */
	struct usage *usage;
	int64_t now_us; /* monotonic */
};

/* Whom a connection watches. All zero is nobody. */
struct usage_watches {
	struct usage_watch *first;
	size_t count;
};
void usage_watches_done(struct usage_watches *watches);

/* Take one line (without its LF; not the greeting), append what there is to answer.
 *
 * Errors  PW_ERR_SYNTAX not a request: the peer is not ours, close; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status usage_line_answer(struct pw_buf *out, struct pw_str line,
                                               struct usage_watches *watches,
                                               const struct usage_world *world);

/* Append a line for each watched user of whom something else holds now than was said
 * last. What cannot be told now is not said.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status usage_line_news(struct pw_buf *out,
                                             struct usage_watches *watches,
                                             const struct usage_world *world);
