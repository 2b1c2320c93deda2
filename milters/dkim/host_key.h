/* The host key under which private keys are sealed: a file of postward-dkim's own. */
#pragma once

#include "mail/dkim_vault.h"

/* Path of the file: setting host_key, or host.key in the state directory. */
void host_key_path(struct pw_buf *out, struct pw_str setting,
                   const char *state_directory);
/* Read the file. One that others may read or that another user owns is refused.
 *
 * why_out  appended on failure
 *
 * Errors  PW_ERR_NOTFOUND there is none; PW_ERR_DENIED; PW_ERR_CONFIG rights, owner or
 *         text are wrong; PW_ERR_IO; PW_ERR_NOMEM
 * Owner   caller, pw_vault_free */
PW_MUST_CHECK enum pw_status host_key_read(struct pw_vault **out, const char *path,
                                           struct pw_buf *why_out);
/* Make the file, with one new key.
 *
 * Errors  PW_ERR_CRYPTO; those of pw_file_replace */
PW_MUST_CHECK enum pw_status host_key_make(const char *path);
