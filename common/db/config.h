/* How to reach the database; shared by all clients of this room. */
#pragma once

#include "db/event.h"

/* Most parameters of one statement. */
#define PW_DB_PARAMS_MAX 16

struct pw_db_config {
	const char *conninfo; /* libpq string; several hosts allowed. Names are resolved
	                         blockingly: prefer a socket or hostaddr */
	const char *program;  /* application_name */
	int64_t connect_timeout_ms;   /* one attempt, all hosts of the string */
	int64_t statement_timeout_ms; /* the server stops a statement after this */
	bool prepared;                /* false: PgBouncer in transaction mode */
	pw_db_event_fn *event;        /* may be NULL */
	void *event_arg;
};
