#include "../table.h"

#include "db/writer.h"
#include "server.h"

static struct told told;

enum { ROWS, ONCE, MISSING };
static const struct pw_writer_stream streams[] = {
	[ROWS] = { "SELECT record_rows($1::jsonb)", 2000, 100, true },
	[ONCE] = { "SELECT record_slowly($1::jsonb)", 10, 5, false },
	[MISSING] = { "SELECT record_later($1::jsonb)", 10, 5, true },
};

static int fill_database(void **state)
{
	(void)state;
	told_reset(&told);
	server_sql("DROP TABLE IF EXISTS rows; CREATE TABLE rows (n int CHECK (n <> 13));"
	           "CREATE OR REPLACE FUNCTION record_rows(jsonb) RETURNS void LANGUAGE "
	           "sql AS "
	           "'INSERT INTO rows SELECT (r->>''n'')::int FROM "
	           "jsonb_array_elements(\\$1) r';"
	           "CREATE OR REPLACE FUNCTION record_slowly(jsonb) RETURNS void "
	           "LANGUAGE plpgsql "
	           "AS 'BEGIN PERFORM pg_sleep(3); PERFORM record_rows(\\$1); END';"
	           "DROP FUNCTION IF EXISTS record_later(jsonb)");
	return 0;
}

static struct pw_writer *open_with(struct pw_db_config db)
{
	struct pw_writer_config config = { .db = db,
		                           .streams = streams,
		                           .stream_count = PW_LEN(streams),
		                           .flush_ms = 50 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_writer *w = NULL;

	assert_int_equal(pw_writer_open(&w, &config, &why), PW_OK);
	return w;
}

static struct pw_writer *open_writer(void)
{
	return open_with(server_config(&told));
}

static void add(struct pw_writer *w, size_t stream, int n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "{\"n\":%d}", n);
	assert_int_equal(pw_writer_add(w, stream, pw_str_from(text)), PW_OK);
}

static void wait_written(struct pw_writer *w, size_t stream, int64_t rows)
{
	int64_t start = pw_clock_mono_ms();

	while (pw_writer_numbers(w, stream).written < rows && took(start) < SOON_MS)
		(void)usleep(10000);
	assert_int_equal(pw_writer_numbers(w, stream).written, rows);
}

/* A batch on its way is not queued, until it comes back. */
static void wait_queued(struct pw_writer *w, size_t stream, int64_t rows)
{
	int64_t start = pw_clock_mono_ms();

	while (pw_writer_numbers(w, stream).queued != rows && took(start) < SOON_MS)
		(void)usleep(1000);
	assert_int_equal(pw_writer_numbers(w, stream).queued, rows);
}

static void rows_arrive_in_batches(void **state)
{
	PW_AUTO(pw_writer_close) struct pw_writer *w = open_writer();

	(void)state;
	for (int i = 1000; i < 2000; i++)
		add(w, ROWS, i);
	wait_written(w, ROWS, 1000);
	assert_int_equal(server_ask("SELECT count(DISTINCT n) FROM rows"), 1000);
	assert_in_range(server_ask("SELECT count(DISTINCT xmin::text) FROM rows"), 10,
	                200);
	assert_int_equal(pw_writer_numbers(w, ROWS).queued, 0);
	assert_int_equal(pw_writer_numbers(w, ROWS).dropped, 0);
}

static void only_the_bad_row_goes(void **state)
{
	PW_AUTO(pw_writer_close) struct pw_writer *w = open_writer();

	(void)state;
	for (int i = 10; i < 20; i++)
		add(w, ROWS, i);
	assert_int_equal(pw_writer_add(w, ROWS, PW_STR("{\"n\":")), PW_OK);
	add(w, ROWS, 20);
	wait_written(w, ROWS, 10);
	assert_int_equal(pw_writer_numbers(w, ROWS).dropped, 2);
	assert_int_equal(told.counts[PW_DB_WRITER_REFUSED], 2);
	assert_int_equal(server_ask("SELECT sum(n) FROM rows"),
	                 10 + 11 + 12 + 14 + 15 + 16 + 17 + 18 + 19 + 20);
}

static void rows_wait_for_the_server(void **state)
{
	PW_AUTO(pw_writer_close) struct pw_writer *w = open_writer();

	(void)state;
	add(w, ROWS, 1);
	wait_written(w, ROWS, 1);
	server_do("stop");
	for (int i = 2; i < 12; i++)
		add(w, ROWS, i);
	wait_count_told(&told, PW_DB_UNREACHABLE, 1);
	wait_queued(w, ROWS, 10);
	server_do("start");
	wait_written(w, ROWS, 11);
	assert_int_equal(server_ask("SELECT sum(n) FROM rows"), 66);
}

static void a_full_queue_drops_the_oldest(void **state)
{
	PW_AUTO(pw_writer_close) struct pw_writer *w = open_writer();

	(void)state;
	server_do("stop");
	for (int i = 1; i <= 2500; i++)
		add(w, ROWS, 1000 + i);
	assert_in_range(pw_writer_numbers(w, ROWS).dropped, 400, 500);
	server_do("start");
	wait_written(w, ROWS, 2000);
	assert_int_equal(pw_writer_numbers(w, ROWS).dropped, 500);
	assert_int_equal(server_ask("SELECT min(n) FROM rows"), 1501);
	assert_int_equal(server_ask("SELECT max(n) FROM rows"), 3500);
	pw_writer_drain(w, SOON_MS);
	assert_true(told.counts[PW_DB_WRITER_DROPPED] > 0);
}

static void rows_keep_until_the_schema_is_mended(void **state)
{
	PW_AUTO(pw_writer_close) struct pw_writer *w = open_writer();

	(void)state;
	add(w, MISSING, 1);
	add(w, MISSING, 2);
	add(w, ROWS, 3); /* is not held up by its neighbour */
	wait_written(w, ROWS, 1);
	wait_count_told(&told, PW_DB_WRITER_REFUSED, 1);
	assert_int_equal(pw_writer_numbers(w, MISSING).dropped, 0);
	server_sql("CREATE FUNCTION record_later(jsonb) RETURNS void LANGUAGE sql AS "
	           "'SELECT record_rows(\\$1)'");
	wait_written(w, MISSING, 2);
}

/* How many are carrying out the slow statement. */
#define AT_IT                                                                            \
	"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE "   \
	"'SELECT record_slowly%'"

static void what_may_have_happened_is_not_done_twice(void **state)
{
	struct pw_db_config db = server_config(&told);
	PW_AUTO(pw_writer_close) struct pw_writer *w = NULL;
	int64_t start = pw_clock_mono_ms();

	(void)state;
	db.statement_timeout_ms = 5000;
	w = open_with(db);
	add(w, ONCE, 1);
	wait_answer(AT_IT, 1);
	server_do("freeze");
	while (pw_writer_numbers(w, ONCE).dropped == 0 && took(start) < SOON_MS)
		(void)usleep(10000);
	server_do("thaw");
	assert_int_equal(pw_writer_numbers(w, ONCE).dropped, 1);
	pw_writer_drain(w, SOON_MS); /* would wait for a second try */
	wait_answer(AT_IT, 0);
	assert_in_range(server_ask("SELECT count(*) FROM rows"), 0, 1);
}

static void draining_writes_what_is_queued(void **state)
{
	PW_AUTO(pw_writer_close) struct pw_writer *w = open_writer();

	(void)state;
	for (int i = 100; i < 400; i++)
		add(w, ROWS, i);
	pw_writer_drain(w, SOON_MS);
	assert_int_equal(pw_writer_numbers(w, ROWS).written, 300);
}

static void draining_ends_in_time(void **state)
{
	struct pw_writer *w = open_writer();
	int64_t start;

	(void)state;
	add(w, ROWS, 1);
	wait_written(w, ROWS, 1);
	server_do("freeze");
	add(w, ROWS, 2);
	start = pw_clock_mono_ms();
	pw_writer_drain(w, 300);
	assert_in_range(took(start), 200, SOON_MS / 2);
	pw_writer_close(&w);
	server_do("thaw");
}

static void a_row_has_a_limit(void **state)
{
	PW_AUTO(pw_writer_close) struct pw_writer *w = open_writer();
	static char large[PW_WRITER_ROW_MAX + 1];

	(void)state;
	assert_int_equal(pw_writer_add(w, ROWS, (struct pw_str){ large, sizeof(large) }),
	                 PW_ERR_LIMIT);
	assert_int_equal(pw_writer_numbers(w, ROWS).dropped, 1);
}

#define TEST(f) cmocka_unit_test_setup(f, fill_database)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_arrive_in_batches),
		TEST(only_the_bad_row_goes),
		TEST(rows_wait_for_the_server),
		TEST(a_full_queue_drops_the_oldest),
		TEST(rows_keep_until_the_schema_is_mended),
		TEST(what_may_have_happened_is_not_done_twice),
		TEST(draining_writes_what_is_queued),
		TEST(draining_ends_in_time),
		TEST(a_row_has_a_limit),
	};

	return server_conninfo() ? cmocka_run_group_tests(tests, NULL, NULL) : skipped();
}
