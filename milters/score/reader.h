/* Content is read in processes that can do nothing else (workers.h): what goes there, and
 * what is done when one dies of it. */
#pragma once

#include "db/snapshot.h"
#include "mail/reading.h"
#include "score/settings.h"
#include "score/workers.h"

struct reader;

/* The calling process has one thread yet. set and psl outlive it.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_IO (why_out)
 * Owner   caller, reader_close */
PW_MUST_CHECK enum pw_status reader_open(struct reader **out, const struct settings *set,
                                         const struct pw_psl *psl,
                                         struct pw_buf *why_out);
void reader_close(struct reader **reader);

/* Rules of a new snapshot; messages that begin after it are read by them. Thread-safe.
 * A failure is logged: the old ones stay. */
void reader_load(struct reader *reader, const struct pw_snapshot_data *data);

/* read of struct pw_judge_tools. What goes wrong is logged.
 *
 * Errors  PW_ERR_PROTOCOL, PW_ERR_TIMEOUT: to be deferred; PW_ERR_DENIED: it crashed
 *         CRASHES_ENOUGH readers */
enum pw_status reader_read(void *reader, struct pw_str job, struct pw_buf *answer_out);

struct workers_numbers reader_numbers(struct reader *reader);
