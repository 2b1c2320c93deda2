/* Files that come with the programs: templates, migrations. */
#pragma once

#include "core/buf.h"

/* Where a kind of them lies. */
struct shipped {
	const char
		*variable; /* of the environment, names another folder: "PW_EDGE_DIR" */
	const char *installed; /* "/usr/share/postward/edge" */
	const char *source;    /* from the folder of a program that was built and not
	                        * installed: "/../../tools/edge/files" */
};

/* The folder of the running program, without a slash at its end. */
void shipped_own_folder(struct pw_buf *out);
/* Append a file's content: of the folder that the environment names, if it names one;
 * else of the installed folder or, where that has no such file, of the source.
 *
 * Errors  PW_ERR_NOTFOUND and those of pw_file_read */
PW_MUST_CHECK enum pw_status shipped_read(struct pw_buf *out, const struct shipped *where,
                                          const char *name);
