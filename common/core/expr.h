/* Expressions of composites: "A & !(B | text)". Names in capitals are symbols, names in
 * small letters groups, true when the message shows one of them. '!' binds closest, then
 * '&', then '|'. '+' before a name: see core/composite.h. Pure. */
#pragma once

#include "core/score.h"

#define PW_EXPR_BYTES_MAX 1000
#define PW_EXPR_TERMS_MAX 64
#define PW_EXPR_DEPTH_MAX 16 /* parentheses within parentheses */

/* Compiled: terms and operators in the order in which they are reckoned. Negations are
 * moved down to the terms, by De Morgan. */
struct pw_expr {
	struct pw_expr_term {
		uint16_t id; /* of a symbol, or of a group */
		bool is_group, is_negated;
		bool is_spared; /* '+' */
	} terms[PW_EXPR_TERMS_MAX];
	int8_t code[2 * PW_EXPR_TERMS_MAX]; /* number of a term, PW_EXPR_AND or _OR */
	uint8_t term_count, code_count;
};
#define PW_EXPR_AND (-1)
#define PW_EXPR_OR (-2)

/* What a message shows, by number. */
struct pw_shown {
	bool symbols[PW_SYMBOLS_ALL];
	bool groups[PW_GROUPS_ALL];
};

/* Errors  PW_ERR_SYNTAX no expression, or a name that is neither symbol nor group;
 *         PW_ERR_LIMIT over one of the maxima. why_out says what and at which character,
 *         counted from 1. */
PW_MUST_CHECK enum pw_status pw_expr_compile(struct pw_expr *out, struct pw_str text,
                                             const struct pw_weights *weights,
                                             struct pw_buf *why_out);
bool pw_expr_is_true(const struct pw_expr *expr, const struct pw_shown *shown);
