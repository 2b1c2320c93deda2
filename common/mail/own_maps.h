/* The admin's own maps (mail.score_maps): who is in one of these lists of addresses,
 * domains and networks shows the symbol of the list. Pure. */
#pragma once

#include "core/score.h"

#define PW_OWN_MAPS_MAX PW_OWN_SYMBOLS_MAX
#define PW_OWN_MAP_ENTRIES_MAX 1000000

struct pw_check;
struct pw_own_maps; /* immutable once filled, for all threads */

/* Errors  PW_ERR_NOMEM
 * Owner   caller, pw_own_maps_free */
PW_MUST_CHECK enum pw_status pw_own_maps_new(struct pw_own_maps **out);
void pw_own_maps_free(struct pw_own_maps **maps);

/* Add a map.
 *
 * name       of its symbol; pw_weights_own made it
 * property   what is looked up: client, name, helo, sender, from, recipient
 * wants_auth sender and from: only where SPF or DMARC says it is no forgery
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_LIMIT (why_out says what); PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_own_maps_add(struct pw_own_maps *maps,
                                             const struct pw_weights *weights,
                                             struct pw_str name, struct pw_str property,
                                             bool wants_auth, struct pw_buf *why_out);
/* Add an entry to a map: an address, a network, "example.org", ".example.org" for all
 * below it.
 *
 * Errors  PW_ERR_NOTFOUND no such map; PW_ERR_SYNTAX no network; PW_ERR_LIMIT too many;
 *         PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_own_maps_put(struct pw_own_maps *maps, struct pw_str name,
                                             struct pw_str entry);

/* Fire the symbols of the maps that client, sender, author or a recipient are in. */
void pw_check_own_maps(const struct pw_check *check);
