/* Do something as another user of the system, to see what that user sees. */
#pragma once

#include <sys/types.h>

#include "core/status.h"
#include "core/str.h"

struct identity {
	uid_t uid;
	gid_t gid;
	char name[64];
	char home[256]; /* empty = has none */
};

/* Find a user by name, or by number.
 *
 * Errors  PW_ERR_NOTFOUND */
PW_MUST_CHECK enum pw_status identity_find(struct identity *out, struct pw_str name);

/* Call act in a process that is that user, with that user's groups and HOME, and wait for
 * its end. Whoever is not root can only be itself.
 *
 * root     folder that process is confined to, as Postfix's daemons are; NULL = none
 * folder   its working directory
 * code_out what act returned, 0..255
 *
 * Errors  PW_ERR_DENIED not root, and another user or a root was asked for; PW_ERR_IO */
PW_MUST_CHECK enum pw_status identity_run(const struct identity *who, const char *root,
                                          const char *folder, int (*act)(void *arg),
                                          void *arg, int *code_out);
