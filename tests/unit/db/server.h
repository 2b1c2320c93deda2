/* A real PostgreSQL for the tests of this room, lent by tests/integration/test_db.py:
 *
 *     PW_TEST_DATABASE  its connection string; unset: the program says "skipped" and ends
 * well PW_TEST_SERVER    a command that takes stop, start, freeze or thaw */
#pragma once

#include "../table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/pool.h"
#include "io/clock.h"

/* Ends a wait that should have ended long ago, on a busy machine too. */
#define SOON_MS 20000

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
		                      .connect_timeout_ms = SOON_MS,
		                      .statement_timeout_ms = SOON_MS,
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

/* The one number a query answers, over a connection of its own. */
static inline int64_t server_ask(const char *sql)
{
	struct pw_db_config config = server_config(NULL);
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	PW_AUTO(pw_db_close) struct pw_db *db = NULL;
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;

	config.event = NULL;
	config.program = "pw-test-asks";
	assert_int_equal(pw_db_open(&db, &config, 1, &why), PW_OK);
	assert_int_equal(
		pw_db_exec(db, sql, NULL, 0, pw_clock_mono_ms() + SOON_MS, &result),
		PW_OK);
	return pw_db_int(result, 0, 0, -1);
}

/* Milliseconds since `since`. */
static inline int64_t took(int64_t since_ms)
{
	return pw_clock_mono_ms() - since_ms;
}

static inline void wait_answer(const char *sql, int64_t number)
{
	int64_t start = pw_clock_mono_ms(), got;

	while ((got = server_ask(sql)) != number && took(start) < SOON_MS)
		(void)usleep(20000);
	assert_int_equal(got, number);
}

/* What another thread tells comes after what it tells of. */
static inline void wait_count_told(struct told *told, enum pw_db_event_kind kind,
                                   int count)
{
	int64_t start = pw_clock_mono_ms();

	while (told->counts[kind] < count && took(start) < SOON_MS)
		(void)usleep(10000);
	assert_int_equal(told->counts[kind], count);
}
