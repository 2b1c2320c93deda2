/* Which signatures a message gets, by the address of its header From: pure.
 *
 * A pattern is an address, "example.org", ".example.org" (any domain below it) or "*".
 * The nearest pattern that has rules decides: the address, its domain, the domain's own
 * keys (a rule that nobody has to write), the domains above, nearest first, "*". Rules
 * with `adds` come on top of these, whatever else there is. */
#pragma once

#include "core/address.h"
#include "mail/dkim_names.h"

#define RULES_CHOSEN_MAX 8 /* rules of one message; further ones are not used */

struct rule {
	struct pw_str pattern;
	struct pw_str domain; /* whose keys sign (d=); empty: those of From's domain */
	bool is_unsigned;     /* no signature, on purpose */
	bool adds;
	struct pw_str
		identity;  /* i=: "", "author", "author_domain", or the text itself */
	int64_t expires_s; /* 0 = never */
	const struct pw_dkim_names *names; /* NULL = the default ones */
	struct rule *next;                 /* of the same pattern */
};

/* A row of the snapshot, as text. */
struct rule_row {
	struct pw_str pattern, action, adds, domain, identity, expires_s, headers,
		oversign;
};

struct rules;

/* seed: 16 random bytes.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, rules_free */
PW_MUST_CHECK enum pw_status rules_new(struct rules **out, const uint8_t seed[16]);
void rules_free(struct rules **rules);
/* Errors  PW_ERR_SYNTAX, PW_ERR_RANGE: the row cannot be used and was left out;
 *         PW_ERR_NOMEM; PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status rules_add(struct rules *rules, const struct rule_row *row);

/* The rules for one author.
 *
 * address, domain  of header From, in normal form
 * has_keys         the domain has keys of its own
 *
 * Returns how many there are in chosen; a NULL among them: the domain's own keys, by
 * default. */
size_t rules_choose(const struct rule *chosen[RULES_CHOSEN_MAX],
                    const struct rules *rules, struct pw_str address,
                    struct pw_str domain, bool has_keys);
/* The i= of a signature of signing_domain; empty: none, also where it would not be inside
 * that domain.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   lives in arena */
PW_MUST_CHECK enum pw_status rule_identity(struct pw_str *out, struct pw_arena *arena,
                                           const struct rule *rule,
                                           struct pw_str signing_domain,
                                           struct pw_str address, struct pw_str domain);
