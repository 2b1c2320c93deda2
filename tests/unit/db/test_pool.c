#include "../table.h"

#include <pthread.h>

#include "db/pool.h"
#include "db/session.h"
#include "server.h"

static struct told told;

static struct pw_db *open_with(struct pw_db_config config, unsigned int connections)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_db *db;

	told_reset(&told);
	assert_int_equal(pw_db_open(&db, &config, connections, &why), PW_OK);
	return db;
}

static struct pw_db *open_pool(unsigned int connections)
{
	return open_with(server_config(&told), connections);
}

static int64_t in(int64_t ms)
{
	return pw_clock_mono_ms() + ms;
}

static enum pw_status run_sql(struct pw_db *db, const char *sql, int64_t ms)
{
	return pw_db_exec(db, sql, NULL, 0, in(ms), NULL);
}

static void values_come_back(void **state)
{
	PW_AUTO(pw_db_close) struct pw_db *db = open_pool(2);
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	struct pw_str params[] = {
		PW_STR("4711"), { NULL, 0 }, PW_STR(""), PW_STR("a'b\\c\n\xc3\xa9")
	};

	(void)state;
	assert_int_equal(
		pw_db_exec(db,
	                   "SELECT $1::bigint, $2::text, $3::text, $4::text, true "
	                   "UNION ALL SELECT 1, 'x', 'y', 'z', false",
	                   params, 4, in(SOON_MS), &result),
		PW_OK);
	assert_int_equal(pw_db_rows(result), 2);
	assert_int_equal(pw_db_columns(result), 5);
	assert_int_equal(pw_db_int(result, 0, 0, -1), 4711);
	assert_null(pw_db_value(result, 0, 1).at);
	assert_int_equal(pw_db_int(result, 0, 1, -1), -1);
	assert_non_null(pw_db_value(result, 0, 2).at);
	assert_int_equal(pw_db_value(result, 0, 2).len, 0);
	assert_true(pw_str_eq(pw_db_value(result, 0, 3), params[3]));
	assert_true(pw_db_bool(result, 0, 4));
	assert_false(pw_db_bool(result, 1, 4));
	assert_null(pw_db_value(result, 2, 0).at); /* out of bounds */
	assert_null(pw_db_value(result, 0, 5).at);
}

static void bad_parameters_are_refused(void **state)
{
	PW_AUTO(pw_db_close) struct pw_db *db = open_pool(1);
	struct pw_str nul = PW_STR("a\0b"), many[PW_DB_PARAMS_MAX + 1] = { 0 };

	(void)state;
	assert_int_equal(pw_db_exec(db, "SELECT $1::text", &nul, 1, in(SOON_MS), NULL),
	                 PW_ERR_SYNTAX);
	assert_int_equal(
		pw_db_exec(db, "SELECT 1", many, PW_LEN(many), in(SOON_MS), NULL),
		PW_ERR_LIMIT);
}

static void refusal_says_why(void **state)
{
	PW_AUTO(pw_db_close) struct pw_db *db = open_pool(1);
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;

	(void)state;
	assert_int_equal(pw_db_exec(db, "SELECT 1/0", NULL, 0, in(SOON_MS), &result),
	                 PW_ERR_PROTOCOL);
	assert_string_equal(pw_db_sqlstate(result), "22012");
	assert_string_equal(pw_db_message(result), "division by zero");
	assert_int_equal(pw_db_rows(result), 0);
	assert_int_equal(
		run_sql(db, "DO $$BEGIN RAISE insufficient_privilege; END$$", SOON_MS),
		PW_ERR_DENIED);
	assert_int_equal(run_sql(db, "SELECT 1; SELECT 2", SOON_MS), PW_ERR_PROTOCOL);
	assert_int_equal(told.counts[PW_DB_CONNECTED], 1); /* it never broke */
	assert_int_equal(told.counts[PW_DB_LOST], 0);
}

static void server_stops_long_statements(void **state)
{
	struct pw_db_config config = server_config(&told);
	PW_AUTO(pw_db_close) struct pw_db *db = NULL;
	int64_t start = pw_clock_mono_ms();

	(void)state;
	config.statement_timeout_ms = 1500;
	db = open_with(config, 1);
	assert_int_equal(run_sql(db, "SELECT pg_sleep(60)", 2 * SOON_MS), PW_ERR_TIMEOUT);
	assert_in_range(took(start), 1400, SOON_MS);
	assert_int_equal(run_sql(db, "SELECT 1", SOON_MS), PW_OK);
	assert_int_equal(told.counts[PW_DB_CONNECTED], 1);
}

static void deadline_holds(void **state)
{
	PW_AUTO(pw_db_close) struct pw_db *db = open_pool(1);
	int64_t start = pw_clock_mono_ms();

	(void)state;
	assert_int_equal(run_sql(db, "SELECT pg_sleep(15)", 200), PW_ERR_TIMEOUT);
	assert_in_range(took(start), 180, 14000);
	assert_int_equal(run_sql(db, "SELECT 1", SOON_MS), PW_OK);
}

/* Holds the one connection until somebody else's lock is gone. */
static void *holder(void *arg)
{
	assert_int_equal(run_sql(arg, "SELECT pg_advisory_xact_lock(1)", 2 * SOON_MS),
	                 PW_OK);
	return NULL;
}

static struct pw_db_session *lock(void)
{
	struct pw_db_config config = server_config(NULL);
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_db_session *s = NULL;

	config.event = NULL;
	assert_int_equal(pw_db_session_open(&s, &config, &why), PW_OK);
	assert_int_equal(
		pw_db_session_script(s, "SELECT pg_advisory_lock(1)", in(SOON_MS), NULL),
		PW_OK);
	return s;
}

static void waiting_for_a_connection_has_a_deadline(void **state)
{
	PW_AUTO(pw_db_close) struct pw_db *db = open_pool(1);
	PW_AUTO(pw_db_session_close) struct pw_db_session *s = lock();
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, holder, db), 0);
	wait_answer("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT "
	            "granted",
	            1);
	assert_int_equal(run_sql(db, "SELECT 1", 100), PW_ERR_TIMEOUT);
	pw_db_session_close(&s);
	assert_int_equal(run_sql(db, "SELECT 1", SOON_MS), PW_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_restart_is_not_noticed(void **state)
{
	PW_AUTO(pw_db_close) struct pw_db *db = open_pool(2);

	(void)state;
	assert_int_equal(run_sql(db, "SELECT 1", SOON_MS), PW_OK);
	server_do("stop");
	server_do("start");
	assert_int_equal(run_sql(db, "SELECT 1", SOON_MS), PW_OK);
	assert_int_equal(told.counts[PW_DB_LOST], 1);
	assert_int_equal(told.counts[PW_DB_CONNECTED], 2);
}

/* Attempts to connect have a wait between them. */
static void wait_ok(struct pw_db *db)
{
	int64_t start = pw_clock_mono_ms();
	enum pw_status r;

	while ((r = run_sql(db, "SELECT 1", SOON_MS)) != PW_OK && took(start) < SOON_MS)
		(void)usleep(50000);
	assert_int_equal(r, PW_OK);
}

static void away_fails_at_once_and_comes_back(void **state)
{
	PW_AUTO(pw_db_close) struct pw_db *db = open_pool(2);
	int64_t start;

	(void)state;
	assert_int_equal(run_sql(db, "SELECT 1", SOON_MS), PW_OK);
	server_do("stop");
	start = pw_clock_mono_ms();
	for (int i = 0; i < 100; i++)
		assert_int_equal(run_sql(db, "SELECT 1", SOON_MS), PW_ERR_AWAY);
	assert_in_range(took(start), 0, SOON_MS); /* not 100 deadlines */
	assert_int_equal(told.counts[PW_DB_UNREACHABLE], 1);
	server_do("start");
	wait_ok(db);
}

static void a_black_hole_is_bounded(void **state)
{
	PW_AUTO(pw_db_close) struct pw_db *db = open_pool(1);
	int64_t start;

	(void)state;
	assert_int_equal(run_sql(db, "SELECT 1", SOON_MS), PW_OK);
	server_do("freeze");
	start = pw_clock_mono_ms();
	assert_int_equal(run_sql(db, "SELECT 1", 500),
	                 PW_ERR_TIMEOUT); /* while answering */
	assert_in_range(took(start), 450, SOON_MS / 2);
	start = pw_clock_mono_ms();
	assert_int_equal(run_sql(db, "SELECT 1", 500),
	                 PW_ERR_TIMEOUT); /* while connecting */
	assert_in_range(took(start), 450, SOON_MS / 2);
	server_do("thaw");
	wait_ok(db);
}

struct conninfo_row {
	const char *label, *conninfo, *why;
};
/* clang-format off */
static struct conninfo_row conninfo_rows[] = {
	{ "unknown keyword", "dbname=x hosst=y", "database is no connection string: invalid connection option " },
	{ "a password is not repeated", "password=top secret", "database is no connection string: missing " },
	{ "URI", "postgresql://u:secret@[::1", "database is no connection string: end of string reached when looking for matching " },
};
/* clang-format on */

static void check_conninfo(void **state)
{
	const struct conninfo_row *row = *state;
	struct pw_db_config config = { .conninfo = row->conninfo, .program = "pw-test" };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_db *db = NULL;

	assert_int_equal(pw_db_open(&db, &config, 1, &why), PW_ERR_CONFIG);
	assert_string_equal(pw_buf_text(&why), row->why);
}

int main(void)
{
	const struct CMUnitTest with_server[] = {
		cmocka_unit_test(values_come_back),
		cmocka_unit_test(bad_parameters_are_refused),
		cmocka_unit_test(refusal_says_why),
		cmocka_unit_test(server_stops_long_statements),
		cmocka_unit_test(deadline_holds),
		cmocka_unit_test(waiting_for_a_connection_has_a_deadline),
		cmocka_unit_test(a_restart_is_not_noticed),
		cmocka_unit_test(away_fails_at_once_and_comes_back),
		cmocka_unit_test(a_black_hole_is_bounded),
	};
	struct CMUnitTest tests[PW_LEN(conninfo_rows)];
	int failed;

	PW_TABLE_TESTS(tests, 0, conninfo_rows, check_conninfo);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (!server_conninfo())
		return failed ? failed : skipped();
	return failed + cmocka_run_group_tests(with_server, NULL, NULL);
}
