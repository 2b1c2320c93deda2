/* ARC validation (RFC 8617 5.2). A message is fed as the milter gets it, like
 * mail/dkim.h. */
#pragma once

#include "io/dns.h"
#include "mail/arc_chain.h"

/* Texts live in the arena or are static. */
struct pw_arc_verdict {
	enum pw_arc_result result;
	const char *reason; /* why it failed: "body hash mismatch"; "" otherwise */
	bool covers_from;   /* the newest signature covers From, and the body whole */
	const struct pw_arc_chain *chain;
};

struct pw_arc; /* one message, one thread */

/* Begin a message; what is kept of it lives in arena.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_arc_free, before the arena is reset */
PW_MUST_CHECK enum pw_status pw_arc_new(struct pw_arc **out, struct pw_resolver *resolver,
                                        struct pw_arena *arena, int64_t now_ms);
void pw_arc_free(struct pw_arc **arc);

/* As pw_dkim_header, pw_dkim_eoh, pw_dkim_body; keys are asked for at the end of the
 * header.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status pw_arc_header(struct pw_arc *arc, struct pw_str name,
                                           struct pw_str value);
PW_MUST_CHECK enum pw_status pw_arc_eoh(struct pw_arc *arc);
void pw_arc_add_body(struct pw_arc *arc, struct pw_str chunk);
/* The header fields as fed, to be looked at until pw_arc_free; NULL when there were more
 * of them than are kept. */
const struct pw_arc_field *pw_arc_fields(const struct pw_arc *arc, size_t *count_out);
/* Waits for keys until deadline_ms (CLOCK_MONOTONIC). A key that is not there by then
 * fails the chain: RFC 8617 5.2.1 knows no temporary error.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status pw_arc_end(struct pw_arc *arc, int64_t deadline_ms,
                                        struct pw_arc_verdict *out);
