/* Header fields of a stranger that only we may write: noted as they pass, to be removed.
 * Pure. */
#pragma once

#include "core/arena.h"

struct forged_field {
	const char *name;
	int index; /* among the fields of that name, 1... */
};

#define FORGED_NAMES 5

struct forged {
	struct pw_arena *arena;
	struct forged_field *fields;
	size_t count, room;
	int seen[FORGED_NAMES];
	bool is_cut; /* one could not be noted */
};

/* All zero but arena is empty. Look at the next field of the header.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status forged_look(struct forged *forged, struct pw_str name,
                                         struct pw_str value, struct pw_str authserv_id);
