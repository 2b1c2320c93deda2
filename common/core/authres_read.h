/* Reading Authentication-Results and what ARC carries of it (RFC 8601 2.2). Slices only;
 * what is broken ends the reading. */
#pragma once

#include "core/str.h"

/* One method's result. */
struct pw_authres_item {
	struct pw_str method, result;
	struct pw_str rest; /* reason and properties, for pw_authres_property */
};

/* The first part: who says it.
 *
 * value     "authserv-id [version]; results..."
 * rest_out  what is behind the first ';', for pw_authres_next
 *
 * Returns false if there is no such part. */
bool pw_authres_open(struct pw_str value, struct pw_str *id_out, struct pw_str *rest_out);
/* Next result; false at the end, "none" included. What cannot be read is passed over. */
bool pw_authres_next(struct pw_str *rest, struct pw_authres_item *out);
/* Value of "smtp.mailfrom", "reason"... (ASCII case ignored), without its quotes; at is
 * NULL when it is not there. */
struct pw_str pw_authres_property(const struct pw_authres_item *item, struct pw_str name);
