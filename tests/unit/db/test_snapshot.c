#include "../table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "db/snapshot.h"
#include "io/file.h"
#include "server.h"

/* ---- a program with one table of words ---- */

struct words {
	size_t count;
	int64_t sum;
	char first[64];
};

static struct told told;
static char folder[] = "/tmp/pw-test-snapshot.XXXXXX";
static char copy_path[128];
static atomic_int living; /* compiled and not released */
static atomic_int changes;

static const struct pw_snapshot_query queries[] = {
	{ "SELECT word, n FROM words ORDER BY word COLLATE \"C\"", 2 },
	{ "SELECT count(*) FROM words", 1 },
};

static enum pw_status compile(void *arg, const struct pw_snapshot_data *data, void **out,
                              struct pw_buf *why_out)
{
	struct words *words = calloc(1, sizeof(*words));
	struct pw_str first = pw_snapshot_value(data, 0, 0, 0);

	(void)arg;
	assert_non_null(words);
	words->count = pw_snapshot_rows(data, 0);
	assert_int_equal(pw_snapshot_int(data, 1, 0, 0, -1),
	                 words->count); /* one instant */
	(void)snprintf(words->first, sizeof(words->first), "%.*s", PW_FMT(first));
	for (size_t i = 0; i < words->count; i++) {
		words->sum += pw_snapshot_int(data, 0, i, 1, 1000);
		if (!pw_str_eq(pw_snapshot_value(data, 0, i, 0), PW_STR("poison")))
			continue;
		pw_buf_puts(why_out, PW_STR("poison is no word"));
		free(words);
		return PW_ERR_SYNTAX;
	}
	(void)atomic_fetch_add(&living, 1);
	*out = words;
	return PW_OK;
}

static void release(void *arg, void *compiled)
{
	(void)arg;
	(void)atomic_fetch_sub(&living, 1);
	free(compiled);
}

static void changed(void *arg)
{
	(void)arg;
	(void)atomic_fetch_add(&changes, 1);
}

static struct pw_snapshot_config config_of_test(void)
{
	return (struct pw_snapshot_config){ .db = server_config(&told),
		                            .state_directory = folder,
		                            .poll_ms = 1000,
		                            .queries = queries,
		                            .query_count = PW_LEN(queries),
		                            .format = 1,
		                            .compile = compile,
		                            .release = release,
		                            .changed = changed };
}

static struct pw_snapshot *open_with(struct pw_snapshot_config config, int64_t wait_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_snapshot *s = NULL;

	told_reset(&told);
	atomic_store(&changes, 0);
	assert_int_equal(pw_snapshot_open(&s, &config, wait_ms, &why), PW_OK);
	return s;
}

static struct pw_snapshot *open_it(void)
{
	return open_with(config_of_test(), SOON_MS);
}

static size_t count_of(struct pw_snapshot *s)
{
	PW_AUTO(pw_snapshot_put) const struct pw_snapshot_view *view = pw_snapshot_get(s);

	return view ? ((const struct words *)view->compiled)->count : SIZE_MAX;
}

static void wait_count(struct pw_snapshot *s, size_t count)
{
	int64_t start = pw_clock_mono_ms();

	while (count_of(s) != count && took(start) < SOON_MS)
		(void)usleep(10000);
	assert_int_equal(count_of(s), count);
}

static void wait_told(enum pw_db_event_kind kind, int count)
{
	wait_count_told(&told, kind, count);
}

static void wait_fresh(struct pw_snapshot *s, bool is_fresh)
{
	int64_t start = pw_clock_mono_ms();

	while (pw_snapshot_is_fresh(s) != is_fresh && took(start) < SOON_MS)
		(void)usleep(10000);
	assert_int_equal(pw_snapshot_is_fresh(s), is_fresh);
}

#define CHANGE(sql)                                                                      \
	sql "; UPDATE mail.state SET generation = generation + 1; NOTIFY postward"
#define CHANGE_IN_SILENCE(sql) sql "; UPDATE mail.state SET generation = generation + 1"

static int fill_database(void **state)
{
	(void)state;
	server_sql(
		"DROP SCHEMA IF EXISTS mail CASCADE; DROP TABLE IF EXISTS words; "
		"CREATE SCHEMA mail; CREATE TABLE mail.state AS SELECT 1::bigint AS "
		"generation;"
		"CREATE FUNCTION mail.generation() RETURNS bigint LANGUAGE sql STABLE AS "
		"'SELECT generation FROM mail.state';"
		"CREATE TABLE words (word text, n int);"
		"INSERT INTO words VALUES ('one', 1), ('two', 2), (NULL, NULL)");
	return 0;
}

static int nothing_is_left(void **state)
{
	(void)state;
	(void)unlink(copy_path);
	return atomic_load(&living) == 0 ? 0 : -1;
}

/* ---- tests ---- */

static void rows_become_a_view(void **state)
{
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = open_it();
	PW_AUTO(pw_snapshot_put) const struct pw_snapshot_view *view = pw_snapshot_get(s);
	const struct words *words;
	struct stat st;

	(void)state;
	assert_non_null(view);
	words = view->compiled;
	assert_int_equal(words->count, 3);
	assert_int_equal(words->sum, 1003); /* NULL reads as the fallback */
	assert_string_equal(words->first, "one");
	assert_int_equal(view->generation, 1);
	wait_fresh(s, true);
	assert_in_range(pw_snapshot_age_ms(s), 0, SOON_MS);
	wait_told(PW_DB_SNAPSHOT_LOADED, 1); /* the last that a load does */
	assert_int_equal(atomic_load(&changes), 1);
	assert_int_equal(told.numbers[PW_DB_SNAPSHOT_LOADED], 1);
	assert_int_equal(stat(copy_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_change_arrives_by_notification(void **state)
{
	struct pw_snapshot_config config = config_of_test();
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = NULL;
	PW_AUTO(pw_snapshot_put) const struct pw_snapshot_view *old = NULL;

	(void)state;
	config.poll_ms = 60000;
	s = open_with(config, SOON_MS);
	old = pw_snapshot_get(s);
	assert_non_null(old);
	wait_fresh(s, true);
	server_sql(CHANGE("INSERT INTO words VALUES ('six', 6)"));
	wait_count(s, 4); /* far sooner than a poll would see it */
	assert_int_equal(((const struct words *)old->compiled)->count,
	                 3); /* still held */
	assert_int_equal(atomic_load(&living), 2);
}

static void a_burst_is_few_loads(void **state)
{
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = open_it();

	(void)state;
	server_sql("DO 'BEGIN FOR i IN 1..500 LOOP INSERT INTO words VALUES (i::text, i);"
	           "UPDATE mail.state SET generation = generation + 1; NOTIFY postward;"
	           "COMMIT; END LOOP; END'");
	wait_count(s, 503);
	assert_in_range(atomic_load(&changes), 0, 200); /* the last is told after it */
}

static void a_lost_notification_does_not_matter(void **state)
{
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = open_it();

	(void)state;
	server_sql(CHANGE_IN_SILENCE("INSERT INTO words VALUES ('six', 6)"));
	wait_count(s, 4);
}

static void poking_looks_at_once(void **state)
{
	struct pw_snapshot_config config = config_of_test();
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = NULL;

	(void)state;
	config.poll_ms = 60000;
	s = open_with(config, SOON_MS);
	server_sql(CHANGE_IN_SILENCE("INSERT INTO words VALUES ('six', 6)"));
	(void)usleep(300000);
	assert_int_equal(count_of(s), 3);
	pw_snapshot_poke(s);
	wait_count(s, 4);
}

static void what_does_not_compile_leaves_the_old_one(void **state)
{
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = open_it();

	(void)state;
	server_sql(CHANGE("INSERT INTO words VALUES ('poison', 6)"));
	wait_told(PW_DB_SNAPSHOT_FAILED, 1);
	(void)usleep(2500000); /* two polls: said once all the same */
	assert_int_equal(count_of(s), 3);
	assert_false(pw_snapshot_is_fresh(s));
	assert_int_equal(told.counts[PW_DB_SNAPSHOT_FAILED], 1);
	assert_string_equal(told.texts[PW_DB_SNAPSHOT_FAILED], "poison is no word");
	server_sql(CHANGE("UPDATE words SET word = 'cure' WHERE word = 'poison'"));
	wait_count(s, 4);
	wait_fresh(s, true);
}

static void the_copy_starts_a_program(void **state)
{
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = open_it();
	int64_t start;

	(void)state;
	pw_snapshot_close(&s);
	server_do("stop");
	start = pw_clock_mono_ms();
	s = open_it();
	assert_in_range(took(start), 0,
	                SOON_MS / 2); /* it does not wait for the database */
	assert_int_equal(count_of(s), 3);
	assert_false(pw_snapshot_is_fresh(s));
	assert_int_equal(told.counts[PW_DB_SNAPSHOT_COPY], 1);
	assert_in_range(pw_snapshot_age_ms(s), 1, 30000);
	wait_told(PW_DB_UNREACHABLE, 1);
	server_do("start");
	wait_fresh(s, true);
	assert_int_equal(count_of(s), 3);
	server_do("stop");
	wait_fresh(s, false);
	assert_int_equal(count_of(s), 3); /* and goes on with it */
	server_do("start");
}

static void open_away(const char *why)
{
	PW_AUTO(pw_snapshot_close)
	struct pw_snapshot *s = open_with(config_of_test(), 100);

	assert_int_equal(count_of(s), SIZE_MAX);
	assert_int_equal(pw_snapshot_age_ms(s), -1);
	assert_int_equal(told.counts[PW_DB_COPY_IGNORED], 1);
	assert_string_equal(told.texts[PW_DB_COPY_IGNORED], why);
}

static void a_bad_copy_is_ignored_and_told(void **state)
{
	struct pw_snapshot *s = open_it();
	struct pw_snapshot_config other = config_of_test();
	PW_AUTO(pw_buf_done) struct pw_buf good = { 0 };

	(void)state;
	pw_snapshot_close(&s);
	assert_int_equal(pw_file_read(&good, copy_path, 100000), PW_OK);
	server_do("stop");
	other.format = 2; /* a newer program */
	s = open_with(other, 100);
	assert_int_equal(count_of(s), SIZE_MAX);
	assert_string_equal(told.texts[PW_DB_COPY_IGNORED], "made by another version");
	pw_snapshot_close(&s);
	good.at[good.len - 40] ^= 1;
	assert_int_equal(pw_file_replace(copy_path, pw_buf_str(&good), 0600), PW_OK);
	open_away("checksum does not match");
	assert_int_equal(
		pw_file_replace(copy_path, pw_str_sub(pw_buf_str(&good), 0, 70), 0600),
		PW_OK);
	open_away("cut short or too long");
	assert_int_equal(pw_file_replace(copy_path, PW_STR(""), 0600), PW_OK);
	open_away("not a snapshot of this version");
	server_do("start");
}

static void a_folder_that_cannot_be_written(void **state)
{
	struct pw_snapshot_config config = config_of_test();
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = NULL;

	(void)state;
	config.state_directory = "/nonexistent";
	s = open_with(config, SOON_MS);
	assert_int_equal(count_of(s), 3);
	wait_fresh(s, true);
	wait_told(PW_DB_COPY_FAILED, 1);
	assert_string_equal(told.texts[PW_DB_COPY_FAILED], "not found");
}

static void a_schema_that_comes_later(void **state)
{
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = NULL;

	(void)state;
	server_sql("DROP TABLE words");
	s = open_with(config_of_test(), 500);
	assert_int_equal(count_of(s), SIZE_MAX);
	wait_told(PW_DB_SNAPSHOT_FAILED, 1);
	assert_non_null(strstr(told.texts[PW_DB_SNAPSHOT_FAILED],
	                       "relation \"words\" does not exist"));
	server_sql("CREATE TABLE words AS SELECT 'one' AS word, 1 AS n");
	wait_count(s, 1);
}

static void closing_does_not_wait_for_a_frozen_server(void **state)
{
	struct pw_snapshot_config config = config_of_test();
	struct pw_snapshot *s;
	int64_t start;

	(void)state;
	config.db.statement_timeout_ms = 3 * SOON_MS;
	s = open_with(config, SOON_MS);
	server_do("freeze");
	pw_snapshot_poke(s); /* it asks, and gets no answer */
	(void)usleep(100000);
	start = pw_clock_mono_ms();
	pw_snapshot_close(&s);
	server_do("thaw");
	assert_in_range(took(start), 0, SOON_MS);
}

static void a_frozen_server_is_soon_not_fresh(void **state)
{
	struct pw_snapshot_config config = config_of_test();
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = NULL;

	(void)state;
	config.db.statement_timeout_ms = 3000;
	s = open_with(config, SOON_MS);
	wait_fresh(s, true);
	server_do("freeze");
	wait_fresh(s, false); /* a poll and its deadline */
	server_do("thaw");
	wait_told(PW_DB_SNAPSHOT_FAILED, 1);
	assert_string_equal(told.texts[PW_DB_SNAPSHOT_FAILED],
	                    "timed out: SELECT mail.generation()");
	wait_fresh(s, true);
}

static atomic_bool stop_readers;

static void *reader(void *arg)
{
	while (!atomic_load(&stop_readers)) {
		PW_AUTO(pw_snapshot_put)
		const struct pw_snapshot_view *view = pw_snapshot_get(arg);
		const struct words *words = view->compiled;

		assert_true(words->count >= 3 && words->first[0] != '\0');
	}
	return NULL;
}

static void readers_see_whole_views(void **state)
{
	PW_AUTO(pw_snapshot_close) struct pw_snapshot *s = open_it();
	pthread_t threads[3];

	(void)state;
	atomic_store(&stop_readers, false);
	for (size_t i = 0; i < PW_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, s), 0);
	for (size_t n = 4; n < 9; n++) {
		server_sql(CHANGE("INSERT INTO words VALUES ('more', 1)"));
		wait_count(s, n);
	}
	atomic_store(&stop_readers, true);
	for (size_t i = 0; i < PW_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&living), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fill_database, nothing_is_left)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_become_a_view),
		TEST(a_change_arrives_by_notification),
		TEST(a_burst_is_few_loads),
		TEST(a_lost_notification_does_not_matter),
		TEST(poking_looks_at_once),
		TEST(what_does_not_compile_leaves_the_old_one),
		TEST(the_copy_starts_a_program),
		TEST(a_bad_copy_is_ignored_and_told),
		TEST(a_folder_that_cannot_be_written),
		TEST(a_schema_that_comes_later),
		TEST(closing_does_not_wait_for_a_frozen_server),
		TEST(a_frozen_server_is_soon_not_fresh),
		TEST(readers_see_whole_views),
	};
	int failed;

	if (!server_conninfo())
		return skipped();
	if (!mkdtemp(folder))
		return 1;
	(void)snprintf(copy_path, sizeof(copy_path), "%s/snapshot.pw-test", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(folder) == 0 ? failed : 1;
}
