/* Whole files, in and out. */
#pragma once

#include <sys/types.h>

#include "core/buf.h"

/* Largest settings file or the like that anybody reads. */
#define PW_FILE_READ_MAX ((size_t)100 * 1024 * 1024)

/* What a number of errno says about a path: PW_ERR_NOTFOUND, PW_ERR_DENIED, PW_ERR_NOMEM
 * or PW_ERR_IO. */
enum pw_status pw_file_status(int error);

/* Append all of a regular file (or pipe) to out.
 *
 * max_bytes  most bytes to accept
 *
 * Errors  PW_ERR_NOTFOUND, PW_ERR_DENIED, PW_ERR_LIMIT, PW_ERR_NOMEM, PW_ERR_IO (errno)
 */
PW_MUST_CHECK enum pw_status pw_file_read(struct pw_buf *out, const char *path,
                                          size_t max_bytes);

/* Put content under path in one step: readers see the old file or the new one, also after
 * a crash (written beside it, synced, renamed).
 *
 * mode  permission bits of the new file, whatever the umask
 *
 * Errors  PW_ERR_NOTFOUND (no such folder), PW_ERR_DENIED, PW_ERR_IO (errno);
 * PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_file_replace(const char *path, struct pw_str content,
                                             mode_t mode);
