/* What hosts said about a message: ours in Authentication-Results, others' in the sets of
 * a chain. Pure. */
#pragma once

#include "mail/arc_chain.h"

/* Append "authserv-id; results" of all fields Authentication-Results that are of
 * authserv_id, the first field first; nothing if there is none.
 *
 * RFC  8617 4.1.1 */
void pw_arc_put_results(struct pw_buf *out, const struct pw_arc_field *fields,
                        size_t count, struct pw_str authserv_id);

/* What our results say of the chain: arc= and how many sets were looked at.
 *
 * Returns false if they say nothing of it. */
bool pw_arc_results_chain(struct pw_str results, enum pw_arc_result *cv_out,
                          unsigned *sets_out);
#define PW_ARC_SETS_PROPERTY "policy.arc-sets"

/* Did a host that is trusted see DMARC pass for author (a domain), and is everything
 * since then by hosts that are trusted? The chain must have passed.
 *
 * is_trusted  of the d= of a seal
 *
 * Returns the instance of the first such set from the top, 0 if there is none. */
unsigned pw_arc_vouched(const struct pw_arc_chain *chain, struct pw_str author,
                        bool (*is_trusted)(const void *user, struct pw_str domain),
                        const void *user);
