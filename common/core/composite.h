/* Composites: symbols that are made of other symbols by an expression (core/expr.h), and
 * what becomes of these: they stay, their points are taken off again, or they go. Pure.
 *
 * All are tried on what the checks have found, so that their order does not matter; for
 * that no composite is made of another. Parts are the names that are not negated; one
 * with
 * '+' before it stays as it is. What is off or runs dry is not there, but a composite
 * that runs dry itself sees what runs dry, and changes nothing. */
#pragma once

#include "core/arena.h"
#include "core/score.h"

struct pw_composites; /* immutable once filled, for all threads */

enum pw_parts {
	PW_PARTS_KEEP,
	PW_PARTS_WEIGHT, /* their points go */
	PW_PARTS_SYMBOL  /* they go */
};
#define PW_PARTS 3

/* The built-in ones.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_composites_free */
PW_MUST_CHECK enum pw_status pw_composites_new(struct pw_composites **out);
void pw_composites_free(struct pw_composites **composites);

/* Own ones are named first, all of them, and then added.
 *
 * Errors  PW_ERR_SYNTAX no own symbol of that name (pw_weights_own makes it) */
PW_MUST_CHECK enum pw_status pw_composites_name(struct pw_weights *weights,
                                                struct pw_str name);
/* parts: keep, remove weight, remove symbol. Texts are borrowed for the call.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_LIMIT (why_out says what; the others stay good);
 *         PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status
pw_composites_add(struct pw_composites *composites, const struct pw_weights *weights,
                  struct pw_str name, struct pw_str expression, struct pw_str parts,
                  struct pw_buf *why_out);
size_t pw_composites_count(const struct pw_composites *composites);

/* Add the composites that hits make, evidence (in the arena) being their parts. */
void pw_composites_apply(const struct pw_composites *composites, struct pw_hits *hits,
                         const struct pw_weights *weights, struct pw_arena *arena);
