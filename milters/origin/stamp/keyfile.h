/* The file of keys that edge and inner host share (core/stamp_key.h). */
#pragma once

#include "core/stamp_key.h"

/* Read it. An empty path is a file without keys. One that others than its owner may read
 * is not taken: a key that leaked forges origins.
 *
 * Errors  PW_ERR_CONFIG (with why), PW_ERR_NOMEM
 * Owner   caller, pw_stamp_keys_done */
PW_MUST_CHECK enum pw_status keyfile_load(struct pw_stamp_keys *out, const char *path,
                                          struct pw_buf *why_out);
