/* The admin's own rules (mail.score_rules): patterns looked for in parts of a message,
 * each firing a symbol of its own. Pure. */
#pragma once

#include "core/score.h"
#include "mail/patterns.h"

#define PW_OWN_RULES_MAX PW_OWN_SYMBOLS_MAX
#define PW_OWN_RULES_BYTES_MAX ((size_t)16 * 1024 * 1024) /* compiled, all together */
#define PW_OWN_EVIDENCE_MAX 60 /* bytes of what was found that are shown */
#define PW_RULES_LIMITED_MAX 8 /* named a message */

struct pw_check;
struct pw_own_rules; /* immutable once filled, for all threads */

/* As SQL has it. */
struct pw_own_rule {
	struct pw_str name; /* of the symbol; pw_weights_own made it */
	struct pw_str
		kind; /* header, raw header, subject, body, raw body, url, attachment */
	struct pw_str field; /* of kind header: name of the field */
	struct pw_str pattern, flags;
};

/* Rules that were given up on a message: their symbols. */
struct pw_rules_limited {
	unsigned at[PW_RULES_LIMITED_MAX];
	size_t count; /* of at */
	size_t total; /* of rules */
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, pw_own_rules_free */
PW_MUST_CHECK enum pw_status pw_own_rules_new(struct pw_own_rules **out);
void pw_own_rules_free(struct pw_own_rules **rules);

/* Add one; weights learn that its symbol is for readers to fire. Texts are borrowed for
 * the call.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_LIMIT (why_out says what; the others stay good);
 *         PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_own_rules_add(struct pw_own_rules *rules,
                                              struct pw_weights *weights,
                                              const struct pw_own_rule *rule,
                                              struct pw_buf *why_out);
size_t pw_own_rules_count(const struct pw_own_rules *rules);

/* Fire what matches check->message; rules that were given up go to check->limited.
 * Without memory for it nothing fires. */
void pw_check_own_rules(const struct pw_check *check);
