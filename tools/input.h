/* Files that an administrator names: read whole, bounded, and never waited for. */
#pragma once

#include "core/buf.h"

/* Append all of a regular file to out; a FIFO, a device or a folder is refused at once.
 *
 * why_out  on failure: in words, without the path
 *
 * Errors  PW_ERR_NOTFOUND, PW_ERR_DENIED, PW_ERR_LIMIT (more than max_bytes),
 *         PW_ERR_STATE (no regular file), PW_ERR_IO, PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status tool_read_regular(struct pw_buf *out, const char *path,
                                               size_t max_bytes, const char **why_out);
