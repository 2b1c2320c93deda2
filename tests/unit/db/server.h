/* A real PostgreSQL for the tests of this room, lent by tests/integration/test_db.py:
 *
 *     PW_TEST_DATABASE  its connection string; unset: the program says "skipped" and ends
 * well PW_TEST_SERVER    a command that takes stop, start, freeze or thaw */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/config.h"
#include "io/clock.h"

#define EVENTS_MAX 64

/* What a client under test has told. */
struct told {
	_Atomic int counts[PW_DB_WRITER_DROPPED + 1];
	_Atomic int64_t numbers[PW_DB_WRITER_DROPPED + 1]; /* the last of each kind */
	char texts[PW_DB_WRITER_DROPPED + 1][256];
};

static inline void told_reset(struct told *told)
{
	for (int i = 0; i <= PW_DB_WRITER_DROPPED; i++) {
		told->counts[i] = 0;
		told->numbers[i] = 0;
	}
}

static inline void hear(void *arg, const struct pw_db_event *event)
{
	struct told *told = arg;

	told->numbers[event->kind] = event->number;
	(void)snprintf(told->texts[event->kind], sizeof(told->texts[0]), "%s",
	               event->text);
	told->counts[event->kind]++; /* last: whoever sees it may read the rest */
	if (getenv("PW_TEST_VERBOSE"))
		(void)fprintf(stderr, "event %s: %s %lld\n",
		              pw_db_event_name(event->kind), event->text,
		              (long long)event->number);
}

static inline const char *server_conninfo(void)
{
	return getenv("PW_TEST_DATABASE");
}

static inline int skipped(void)
{
	(void)puts("skipped: PW_TEST_DATABASE is not set");
	return 0;
}

static inline struct pw_db_config server_config(struct told *told)
{
	return (struct pw_db_config){ .conninfo = server_conninfo(),
		                      .program = "pw-test",
		                      .connect_timeout_ms = 1000,
		                      .statement_timeout_ms = 1000,
		                      .prepared = true,
		                      .event = hear,
		                      .event_arg = told };
}

static inline void server_do(const char *what)
{
	char command[512];

	(void)snprintf(command, sizeof(command), "%s %s", getenv("PW_TEST_SERVER"), what);
	if (system(command) != 0) {
		(void)fprintf(stderr, "cannot %s the server\n", what);
		abort();
	}
}

/* One statement (or several) through psql's library calls of the pool would test the pool
 * with itself: this is psql. */
static inline void server_sql(const char *sql)
{
	char command[4096];

	(void)snprintf(command, sizeof(command),
	               "PGOPTIONS='-c client_min_messages=warning' psql -X -q -v "
	               "ON_ERROR_STOP=1 -d \"$PW_TEST_DATABASE\" -c \"%s\" "
	               ">/dev/null",
	               sql);
	if (system(command) != 0) {
		(void)fprintf(stderr, "psql failed: %s\n", sql);
		abort();
	}
}

/* Milliseconds since `since`. */
static inline int64_t took(int64_t since_ms)
{
	return pw_clock_mono_ms() - since_ms;
}
