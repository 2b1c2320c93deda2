#include "db/event.h"

#include "core/base.h"

/* clang-format off */
static const struct {
	const char *name;
	bool is_warning;
} kinds[] = {
	[PW_DB_CONNECTED]       = { "connected",        false },
	[PW_DB_LOST]            = { "lost",             true },
	[PW_DB_UNREACHABLE]     = { "unreachable",      true },
	[PW_DB_SNAPSHOT_LOADED] = { "snapshot_loaded",  false },
	[PW_DB_SNAPSHOT_COPY]   = { "snapshot_copy",    true },
	[PW_DB_SNAPSHOT_FAILED] = { "snapshot_failed",  true },
	[PW_DB_COPY_IGNORED]    = { "copy_ignored",     true },
	[PW_DB_COPY_FAILED]     = { "copy_failed",      true },
	[PW_DB_WRITER_REFUSED]  = { "writer_refused",   true },
	[PW_DB_WRITER_DROPPED]  = { "writer_dropped",   true },
};
/* clang-format on */

const char *pw_db_event_name(enum pw_db_event_kind kind)
{
	return kind < PW_LEN(kinds) ? kinds[kind].name : "unknown";
}

bool pw_db_event_is_warning(enum pw_db_event_kind kind)
{
	return kind < PW_LEN(kinds) && kinds[kind].is_warning;
}
