/* Messages in files. */
#pragma once

#include "core/buf.h"

/* Append a message as a milter sees it, failures remembered by out: see below. */
void tool_message_put(struct pw_buf *out, struct pw_str text);
/* Append the message as a milter sees it: every line ends with CRLF, whatever the file
 * has; an mbox line in front is no part of it.
 *
 * Errors  those of pw_file_read; PW_ERR_LIMIT; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status tool_message_read(struct pw_buf *out, const char *path);
