/* OpenDKIM's settings and tables, found and read. */
#pragma once

#include "core/buf.h"
#include "tools/dkim/opendkim.h"

struct opendkim_where {
	const char *conf;                    /* NULL = /etc/opendkim.conf */
	const char *keytable, *signingtable; /* instead of conf */
	const char *root;                    /* put before absolute paths in the files */
};

/* Read what they say into list; complaints go to standard error. Returns the exit code.
 */
int opendkim_read_files(struct opendkim *list, const struct opendkim_where *where);
/* A path as the tables have it, below root: appended to out. */
const char *opendkim_path(struct pw_buf *out, const struct opendkim_where *where,
                          struct pw_str path);
