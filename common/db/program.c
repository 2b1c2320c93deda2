#include "db/program.h"

#include "io/log.h"

/* Log keys of the numbers. */
static const char *const number_keys[] = {
	[PW_DB_SNAPSHOT_LOADED] = "generation",
	[PW_DB_SNAPSHOT_COPY] = "age_ms",
	[PW_DB_WRITER_REFUSED] = "rows",
	[PW_DB_WRITER_DROPPED] = "rows",
};

struct pw_db_config pw_db_config_from(const struct pw_settings_common *common,
                                      const char *program)
{
	return (struct pw_db_config){
		.conninfo = common->database,
		.program = program,
		.connect_timeout_ms = common->database_connect_timeout_ms,
		.statement_timeout_ms = common->database_statement_timeout_ms,
		.prepared = common->prepared_statements,
		.event = pw_db_log_event,
	};
}

void pw_db_log_event(void *arg, const struct pw_db_event *event)
{
	const char *key =
		event->kind < PW_LEN(number_keys) ? number_keys[event->kind] : NULL;

	(void)arg;
	pw_log(pw_db_event_is_warning(event->kind) ? PW_LOG_WARNING : PW_LOG_INFO, "",
	       PW_KV("database", pw_db_event_name(event->kind)),
	       event->text[0] ? PW_KV("why", event->text) : PW_KV_NONE,
	       key ? PW_KV_INT(key, event->number) : PW_KV_NONE, PW_KV_END);
}
