/* What the database room has to tell. It never logs: the program's callback does, once.
 */
#pragma once

#include <stdint.h>

#include "core/str.h"

enum pw_db_event_kind {
	PW_DB_CONNECTED,   /* text: server */
	PW_DB_LOST,        /* text: why; queries in flight fail or are sent again */
	PW_DB_UNREACHABLE, /* text: why; a connection attempt failed (first of a row, then
	                      at most once a minute) */
	PW_DB_SNAPSHOT_LOADED, /* number: generation; from the database */
	PW_DB_SNAPSHOT_COPY,   /* number: age in ms; started from the copy on disk */
	PW_DB_SNAPSHOT_FAILED, /* text: why; the old one stays in use */
	PW_DB_COPY_IGNORED,    /* text: why the copy on disk was not used */
	PW_DB_COPY_FAILED,     /* text: why the copy on disk could not be written */
	PW_DB_WRITER_REFUSED, /* text: why; number: rows; the server refuses them: dropped
	                       */
	PW_DB_WRITER_DROPPED, /* number: oldest rows dropped because the queue was full */
};

struct pw_db_event {
	enum pw_db_event_kind kind;
	const char *text; /* "" = none; borrowed for the call; no secret in it */
	int64_t number;
};

/* Called from any thread of the room (asynchronous client: the caller's); must not call
 * back into the object that tells it. */
typedef void pw_db_event_fn(void *arg, const struct pw_db_event *event);

/* "connected", "snapshot_failed", ...: the value of the log key `database`. */
const char *pw_db_event_name(enum pw_db_event_kind kind);
/* Is it a matter for a warning, or only for information? */
bool pw_db_event_is_warning(enum pw_db_event_kind kind);
