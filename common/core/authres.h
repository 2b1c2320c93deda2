/* Authentication-Results (RFC 8601): writing ours, knowing forged ones. */
#pragma once

#include "core/buf.h"

#define PW_AUTHRES_PROPERTIES_MAX 6
#define PW_AUTHRES_VALUE_MAX 255 /* bytes of one value; what is over is cut */

/* One method's result; texts borrowed, from strangers where they are values or reasons.
 */
struct pw_authres_result {
	struct pw_str method; /* "spf" */
	struct pw_str result; /* "pass" */
	struct pw_str reason; /* may be empty */
	struct {
		struct pw_str name; /* "smtp.mailfrom"; empty ends the list */
		struct pw_str value;
	} properties[PW_AUTHRES_PROPERTIES_MAX];
};

/* Write the field's value, folded with LF and HTAB; "id; none" without results. Values
 * cannot leave their place: they are quoted, cleaned of control characters, and cut.
 *
 * RFC  8601 2.2 */
void pw_authres_put(struct pw_buf *out, struct pw_str authserv_id,
                    const struct pw_authres_result *results, size_t count);
/* Does a field's value claim to come from authserv_id? Case, folds, comments, quotes, a
 * version behind it, and a final dot make no difference; length neither. A value that is
 * broken behind our name counts as ours.
 *
 * RFC  8601 5 */
bool pw_authres_is_from(struct pw_str value, struct pw_str authserv_id);
