/* What the snapshot becomes: keys by domain, and who may send as whom. Immutable. */
#pragma once

#include "core/buf.h"
#include "core/owner.h"
#include "dkim/forwards.h"
#include "dkim/keystore.h"
#include "dkim/rules.h"
#include "mail/dkim_key.h"

#define KEYRING_KEYS_MAX 8 /* active keys of one domain; further ones are not used */

struct keyring_key {
	struct pw_str selector;
	struct pw_dkim_key *key;
};

struct keyring_domain {
	struct pw_str name;
	struct keyring_key keys[KEYRING_KEYS_MAX];
	size_t count;
	size_t unusable; /* keys that could not be read */
	bool is_pending; /* a key is asked for, or not yet in use */
};

struct keyring;
struct pw_vault;

/* seed: 16 random bytes. delimiter: as in core/owner.h.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, keyring_free */
PW_MUST_CHECK enum pw_status keyring_new(struct keyring **out, const uint8_t seed[16],
                                         char delimiter);
void keyring_free(struct keyring **keyring);

/* Keys read before are taken from there; borrowed while keys are added; may be NULL. */
void keyring_use_store(struct keyring *keyring, struct keystore *store);
/* Host keys for keys that are added from now on; NULL: there are none. Borrowed. */
void keyring_use_vault(struct keyring *keyring, const struct pw_vault *vault);
/* Add an active key, in clear or sealed. One that cannot be read is counted against its
 * domain, and why_out gets a line about it (never its text).
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT too many domains */
PW_MUST_CHECK enum pw_status keyring_add_key(struct keyring *keyring,
                                             struct pw_str domain, struct pw_str selector,
                                             struct pw_str algorithm, struct pw_str pem,
                                             struct pw_buf *why_out);
/* One of its keys is on its way: no key yet is not the same as no key.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT too many domains */
PW_MUST_CHECK enum pw_status keyring_add_pending(struct keyring *keyring,
                                                 struct pw_str domain);
/* Errors  as rules_add */
PW_MUST_CHECK enum pw_status keyring_add_rule(struct keyring *keyring,
                                              const struct rule_row *row);
/* Let login send as pattern (core/owner.h).
 *
 * Errors  PW_ERR_SYNTAX no such names: the row was left out; PW_ERR_NOMEM;
 *         PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status
keyring_add_sender(struct keyring *keyring, struct pw_str login, struct pw_str pattern);

/* Keys of a domain in normal form and as DNS has it (core/punycode.h), or NULL. */
const struct keyring_domain *keyring_find(const struct keyring *keyring,
                                          struct pw_str domain);
const struct rules *keyring_rules(const struct keyring *keyring);
bool keyring_may_send(const struct keyring *keyring, struct pw_str login,
                      struct pw_str address);
/* Has login any address? If not it is newer than the snapshot, for it has just logged in.
 */
bool keyring_knows(const struct keyring *keyring, struct pw_str login);
/* Which addresses lead outside; to be filled while the keyring is. */
struct forwards *keyring_forwards(const struct keyring *keyring);
/* Usable keys of all domains. */
size_t keyring_count(const struct keyring *keyring);
