/* Files as they were before setup, in SETUP_STATE: what --undo and the package's purge
 * restore.
 *
 * manifest: a line a file, fields separated by TAB: path; `file` or `absent` (before);
 * name of the copy below files/, or -; SHA-256 as setup left it, - = setup left no file,
 * * = setup is at it. Copies have the mode and the owner of the file. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

#define SETUP_STATE "/var/lib/postward/setup"

struct setup_backup;

/* Read the manifest; without one nothing is in it.
 *
 * Errors  PW_ERR_SYNTAX (a manifest of something else), PW_ERR_NOMEM, PW_ERR_IO
 * Owner   caller, setup_backup_free */
PW_MUST_CHECK enum pw_status setup_backup_open(struct setup_backup **out);
void setup_backup_free(struct setup_backup **backup);
size_t setup_backup_count(const struct setup_backup *backup);
/* Is there a file whose path begins with prefix? */
bool setup_backup_has(const struct setup_backup *backup, const char *prefix);

/* The same, of files at which a run has stopped half way. */
bool setup_backup_is_unfinished(const struct setup_backup *backup, const char *prefix);

/* Before a file is touched: copy it, unless an earlier state of it is kept, and note that
 * setup is at it.
 *
 * Errors  PW_ERR_IO (errno), PW_ERR_LIMIT, PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status setup_backup_before(struct setup_backup *backup,
                                                 const char *path);
/* When setup is done with all of them: note what they are now. */
PW_MUST_CHECK enum pw_status setup_backup_after(struct setup_backup *backup);

/* Put everything back, Postfix's files first; a line of words for each goes to out.
 *
 * is_forced      also what was changed since
 * left_out       files that stay because they were changed since
 * should_change  false: only say it
 *
 * Errors  PW_ERR_IO (errno); what could not be restored stays in the manifest */
PW_MUST_CHECK enum pw_status setup_backup_undo(struct setup_backup *backup,
                                               bool is_forced, bool should_change,
                                               struct pw_buf *out, size_t *left_out);
