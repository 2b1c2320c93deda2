/* What attachments are by their bytes, and the names in archives (used by
 * mail/message.c). */
#pragma once

#include "mail/message.h"

/* Look into every leaf that is no text to be read: fills magic, archive and office of
 * m->parts.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_attachments_read(struct pw_message *m);
