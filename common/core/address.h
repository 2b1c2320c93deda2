/* Mail addresses: one type, one normal form for every part (RFC 5321 4.1.2, RFC
 * 5322 3.4).
 *
 * Normal form: ASCII letters of local part and domain in lower case, quotes of the local
 * part dropped where an atom would do, one trailing dot of the domain dropped; every
 * other byte as it was. SQL makes the same with lower(x COLLATE "C"). Vectors shared by
 * all parts: tests/vectors/addresses.tsv. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

#define PW_LOCAL_MAX 64   /* octets, RFC 5321 4.5.3.1.1 */
#define PW_DOMAIN_MAX 255 /* octets, RFC 5321 4.5.3.1.2 */
#define PW_ADDRESS_MAX (PW_LOCAL_MAX + 1 + PW_DOMAIN_MAX)

/* Normalised. The local part is without quotes and escapes; it may then hold any byte but
 * NUL, CR and LF. The domain may be an address literal, brackets included. */
struct pw_mailbox {
	struct pw_str local;
	struct pw_str domain;
};

/* Parse an envelope address, "<local@domain>" or bare; source routes are dropped.
 *
 * Errors  PW_ERR_NOTFOUND null sender ("" or "<>"); PW_ERR_SYNTAX; PW_ERR_LIMIT too long;
 *         PW_ERR_NOMEM
 * Owner   slices live in arena
 * RFC     5321 4.1.2 */
PW_MUST_CHECK enum pw_status pw_address_parse(struct pw_mailbox *out,
                                              struct pw_arena *arena, struct pw_str text);

/* Write "local@domain", the local part quoted where it must be. */
void pw_address_put(struct pw_buf *out, const struct pw_mailbox *mailbox);

/* Parse and write in one: the key of every map and of SQL.
 *
 * Errors  as pw_address_parse; PW_ERR_LIMIT and PW_ERR_NOMEM also from out. On failure
 * out is as before. */
PW_MUST_CHECK enum pw_status pw_address_normalise(struct pw_buf *out, struct pw_str text);

/* Local part before the first delimiter: "ann+x" to "ann"; the whole where there is none,
 * or where nothing stands before it. */
struct pw_str pw_address_base(struct pw_str local, char delimiter);

/* Append an address without its subaddress, both in normal form: of "ann+x@d" "ann@d", of
 * "\"ann b+x\"@d" "\"ann b\"@d". False: it has none, or there is no room; then out is as
 * before. */
bool pw_address_put_base(struct pw_buf *out, struct pw_str address, char delimiter);

/* Is text a host name or domain: labels of letters, digits, hyphen, underscore or bytes
 * over 127 (U-labels), 1 to 63 octets each, 255 in all, at least one, no trailing dot? */
bool pw_domain_is_valid(struct pw_str text);

/* One entry of an address list. */
struct pw_addrlist_item {
	struct pw_str display; /* decoded of quotes, not of encoded words; may be empty */
	struct pw_mailbox mailbox;
	bool is_broken; /* no mailbox could be read here; display holds the raw text */
};

/* Pull parser over an address list (RFC 5322 3.4): comments, quoted strings, groups,
 * routes, folds. Work is linear; at most PW_ADDRLIST_MAX items are given. */
#define PW_ADDRLIST_MAX 10000
struct pw_addrlist {
	struct pw_str rest;
	struct pw_arena *arena;
	size_t count;
	bool is_in_group;
};

void pw_addrlist_init(struct pw_addrlist *list, struct pw_arena *arena,
                      struct pw_str value);
/* Next entry; false at the end (or at PW_ADDRLIST_MAX, or out of memory). */
bool pw_addrlist_next(struct pw_addrlist *list, struct pw_addrlist_item *out);

/* The one mailbox of a From value.
 *
 * Errors  PW_ERR_SYNTAX unless the list is exactly one well-formed mailbox outside of a
 *         group (RFC 7489 6.6.1: none or several have no author domain)
 * Owner   slices live in arena */
PW_MUST_CHECK enum pw_status pw_from_mailbox(struct pw_mailbox *out,
                                             struct pw_arena *arena, struct pw_str value);
