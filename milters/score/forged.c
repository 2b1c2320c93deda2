#include "score/forged.h"

#include <string.h>

#include "core/authres.h"
#include "core/stamp.h"

static const char *const names[FORGED_NAMES] = { "Authentication-Results", "X-Spam",
	                                         "X-Spam-Score", "X-Spam-Status",
	                                         PW_CLIENT_FIELD };

static enum pw_status note(struct forged *forged, const char *name, int index)
{
	if (forged->count == forged->room) {
		size_t room = forged->room == 0 ? 16 : forged->room * 2;
		struct forged_field *fields =
			pw_arena_array(forged->arena, room, sizeof(*fields));

		if (fields == NULL) {
			forged->is_cut = true;
			return PW_ERR_NOMEM;
		}
		if (forged->count > 0)
			memcpy(fields, forged->fields, forged->count * sizeof(*fields));
		forged->fields = fields;
		forged->room = room;
	}
	forged->fields[forged->count++] = (struct forged_field){ name, index };
	return PW_OK;
}

enum pw_status forged_look(struct forged *forged, struct pw_str name, struct pw_str value,
                           struct pw_str authserv_id)
{
	for (size_t i = 0; i < FORGED_NAMES; i++) {
		if (!pw_str_eq_nocase(name, pw_str_from(names[i])))
			continue;
		forged->seen[i]++;
		if (i == 0 && !pw_authres_is_from(value, authserv_id))
			return PW_OK; /* another host's */
		return note(forged, names[i], forged->seen[i]);
	}
	return PW_OK;
}
