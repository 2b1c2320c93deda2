#include "../table.h"

#include "db/session.h"
#include "server.h"

static struct pw_db_session *open_it(void)
{
	struct pw_db_config config = server_config(NULL);
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_db_session *s = NULL;

	config.event = NULL;
	assert_int_equal(pw_db_session_open(&s, &config, &why), PW_OK);
	return s;
}

static int64_t in(int64_t ms)
{
	return pw_clock_mono_ms() + ms;
}

static int64_t number(struct pw_db_session *s, const char *sql)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;

	assert_int_equal(pw_db_session_exec(s, sql, NULL, 0, in(SOON_MS), &result),
	                 PW_OK);
	return pw_db_int(result, 0, 0, -1);
}

static void a_transaction_spans_calls(void **state)
{
	PW_AUTO(pw_db_session_close) struct pw_db_session *s = open_it();

	(void)state;
	assert_int_equal(
		pw_db_session_script(s, "CREATE TEMP TABLE t (n int)", in(SOON_MS), NULL),
		PW_OK);
	assert_int_equal(pw_db_session_script(s, "BEGIN; INSERT INTO t VALUES (1), (2)",
	                                      in(SOON_MS), NULL),
	                 PW_OK);
	assert_int_equal(number(s, "SELECT count(*) FROM t"), 2);
	assert_int_equal(pw_db_session_script(s, "ROLLBACK", in(SOON_MS), NULL), PW_OK);
	assert_int_equal(number(s, "SELECT count(*) FROM t"), 0);
}

static void a_script_says_where_it_failed(void **state)
{
	static const char script[] = "SELECT 1;\nSELECT nothing FROM pg_class;\nSELECT 2";
	PW_AUTO(pw_db_session_close) struct pw_db_session *s = open_it();
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;

	(void)state;
	assert_int_equal(pw_db_session_script(s, script, in(SOON_MS), &result),
	                 PW_ERR_PROTOCOL);
	assert_string_equal(pw_db_sqlstate(result), "42703");
	assert_int_equal(pw_db_error_letter(result), 18);
	pw_db_result_free(&result);
	assert_int_equal(pw_db_session_script(
				 s, "DO 'BEGIN RAISE ''no'' USING HINT = ''try''; END'",
				 in(SOON_MS), &result),
	                 PW_ERR_PROTOCOL);
	assert_string_equal(pw_db_message(result), "no");
	assert_string_equal(pw_db_hint(result), "try");
	assert_int_equal(pw_db_error_letter(result), 0);
	assert_int_equal(number(s, "SELECT 3"), 3); /* the session goes on */
}

static void copying_ends_the_session(void **state)
{
	PW_AUTO(pw_db_session_close) struct pw_db_session *s = open_it();

	(void)state;
	assert_int_equal(
		pw_db_session_script(s, "CREATE TEMP TABLE t (n int); COPY t FROM STDIN",
	                             in(SOON_MS), NULL),
		PW_ERR_PROTOCOL);
	assert_int_equal(pw_db_session_script(s, "SELECT 1", in(SOON_MS), NULL),
	                 PW_ERR_AWAY);
}

static void a_deadline_ends_the_session(void **state)
{
	PW_AUTO(pw_db_session_close) struct pw_db_session *s = open_it();
	int64_t start = pw_clock_mono_ms();

	(void)state;
	assert_int_equal(pw_db_session_script(s, "SELECT pg_sleep(15)", in(200), NULL),
	                 PW_ERR_TIMEOUT);
	assert_in_range(took(start), 150, 14000);
	assert_int_equal(pw_db_session_script(s, "SELECT 1", in(SOON_MS), NULL),
	                 PW_ERR_AWAY);
}

static void what_cannot_be_opened_says_why(void **state)
{
	struct pw_db_config config = server_config(NULL);
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_db_session *s = NULL;

	(void)state;
	config.event = NULL;
	config.conninfo = "password=secret nonsense";
	assert_int_equal(pw_db_session_open(&s, &config, &why), PW_ERR_CONFIG);
	assert_null(s);
	assert_true(why.len > 0);
	assert_null(strstr(pw_buf_text(&why), "secret"));
	pw_buf_reset(&why);
	config.conninfo = "host=/nonexistent";
	assert_int_equal(pw_db_session_open(&s, &config, &why), PW_ERR_AWAY);
	assert_non_null(strstr(pw_buf_text(&why), "/nonexistent"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transaction_spans_calls),
		cmocka_unit_test(a_script_says_where_it_failed),
		cmocka_unit_test(copying_ends_the_session),
		cmocka_unit_test(a_deadline_ends_the_session),
		cmocka_unit_test(what_cannot_be_opened_says_why),
	};

	if (!server_conninfo())
		return skipped();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
