/* The host key under which private keys lie sealed, for the verbs that need it. What is wrong
 * is said on standard error. */
#pragma once

#include "mail/dkim_vault.h"

/* Setting host_key of postward-dkim, else host.key in its state directory. */
void dkim_vault_file(struct pw_buf *out);
/* what: where the text is from, for people.
 *
 * Returns  0, or the code to exit with
 * Owner    caller, pw_vault_free */
int dkim_vault_parse(struct pw_vault **out, const char *what, struct pw_str text);
/* file: NULL = that of dkim_vault_file. */
int dkim_vault_read(struct pw_vault **out, const char *file);
