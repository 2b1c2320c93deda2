/* The leaves of a message's MIME tree as the checks read them (used by mail/message.c).
 */
#pragma once

#include "mail/message.h"

/* Fill m->tree, m->parts and the flags beside them from the fields and the body kept.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_parts_read(struct pw_message *m);
