#include "../table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "db/async.h"
#include "server.h"

/* ---- a loop of the simplest kind ---- */

static struct {
	int fd;
	unsigned int want;
	int64_t timer_ms;
	bool is_inside; /* the client is running */
} loop;
static struct told told;
static struct pw_db_async *client;

static void watch(void *arg, int fd, unsigned int want)
{
	(void)arg;
	assert_true(fcntl(fd, F_GETFD) >= 0); /* always open, whatever libpq did */
	assert_true(loop.fd == -1 || loop.fd == fd);
	loop.fd = want ? fd : -1;
	loop.want = want;
}

static void timer(void *arg, int64_t at_ms)
{
	(void)arg;
	loop.timer_ms = at_ms;
}

static int64_t now_ms(void *arg)
{
	(void)arg;
	return pw_clock_mono_ms();
}

static void turn(int64_t wait_ms)
{
	struct pollfd fd = { .fd = loop.fd,
		             .events = (short)((loop.want & PW_DB_READ ? POLLIN : 0) |
		                               (loop.want & PW_DB_WRITE ? POLLOUT : 0)) };
	int64_t left = loop.timer_ms < 0 ? wait_ms : loop.timer_ms - pw_clock_mono_ms();

	if (left > wait_ms)
		left = wait_ms;
	loop.is_inside = true;
	if (poll(&fd, 1, left < 0 ? 0 : (int)left) > 0)
		pw_db_async_on_fd(client);
	if (loop.timer_ms >= 0 && loop.timer_ms <= pw_clock_mono_ms()) {
		loop.timer_ms = -1;
		pw_db_async_on_timer(client);
	}
	loop.is_inside = false;
}

/* Longer than the deadlines of the queries. */
#define HUNG_MS (2 * SOON_MS)

static void run_until(const int *counter, int value)
{
	int64_t start = pw_clock_mono_ms();

	while (*counter < value && took(start) < HUNG_MS)
		turn(50);
	assert_int_equal(*counter, value);
}

static void run_until_told(enum pw_db_event_kind kind, int count)
{
	int64_t start = pw_clock_mono_ms();

	while (told.counts[kind] < count && took(start) < HUNG_MS)
		turn(50);
	assert_int_equal(told.counts[kind], count);
}

static void run_until_answer(const char *sql, int64_t number)
{
	int64_t start = pw_clock_mono_ms(), got;

	while ((got = server_ask(sql)) != number && took(start) < HUNG_MS)
		turn(50);
	assert_int_equal(got, number);
}

static void run_for(int64_t ms)
{
	int64_t start = pw_clock_mono_ms();

	while (took(start) < ms)
		turn(20);
}

static void open_with(struct pw_db_config config, size_t queue_max)
{
	static const struct pw_db_loop calls = { NULL, watch, timer, now_ms };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	told_reset(&told);
	loop.fd = -1;
	loop.timer_ms = -1;
	assert_int_equal(pw_db_async_open(&client, &config, &calls, queue_max, &why),
	                 PW_OK);
}

static int open_client(void **state)
{
	(void)state;
	open_with(server_config(&told), 5000);
	return 0;
}

static int close_client(void **state)
{
	(void)state;
	pw_db_async_close(&client);
	assert_int_equal(loop.fd, -1); /* nothing left behind */
	assert_int_equal(loop.timer_ms, -1);
	return 0;
}

/* ---- what came of a query ---- */

struct outcome {
	int calls;
	enum pw_status status;
	int64_t number;
	char sqlstate[8];
	int order; /* the how manieth of all */
};
static int answered;

static void done(void *arg, enum pw_status status, const struct pw_db_result *result)
{
	struct outcome *out = arg;

	assert_true(loop.is_inside); /* never from within pw_db_async_query */
	out->calls++;
	out->status = status;
	out->number = pw_db_int(result, 0, 0, -1);
	(void)snprintf(out->sqlstate, sizeof(out->sqlstate), "%s",
	               pw_db_sqlstate(result));
	out->order = answered++;
}

static const struct pw_db_statement echo = { "echo", "SELECT $1::bigint", true, NULL };
static const struct pw_db_statement divide = { "divide", "SELECT 10 / $1::bigint", true,
	                                       NULL };
static const struct pw_db_statement nap = { "nap", "SELECT 7 FROM pg_sleep($1::float8)",
	                                    true, NULL };
static const struct pw_db_statement nap_once = { "once",
	                                         "SELECT 7 FROM pg_sleep($1::float8)",
	                                         false, NULL };

static void ask(const struct pw_db_statement *statement, const char *param, int64_t ms,
                struct outcome *out)
{
	struct pw_str text = pw_str_from(param);
	bool was = loop.is_inside;

	loop.is_inside = false;
	assert_int_equal(pw_db_async_query(client, statement, &text, 1,
	                                   pw_clock_mono_ms() + ms, done, out),
	                 PW_OK);
	loop.is_inside = was;
}

/* The number itself, for several at once; 0 has no row, a negative one has two. */
static const struct pw_db_statement echo_each = {
	"each",
	"SELECT v::bigint, n FROM unnest($1::text[]) WITH ORDINALITY AS q (v, n), "
	"generate_series(1, CASE sign(v::numeric) WHEN 1 THEN 1 WHEN -1 THEN 2 ELSE 0 "
	"END)",
	true, NULL
};
static const struct pw_db_statement gathered = {
	"gathered",
	"SELECT $1::bigint, 1 FROM generate_series(1, CASE sign($1::numeric) WHEN 1 THEN "
	"1 "
	"WHEN -1 THEN 2 ELSE 0 END)",
	true, &echo_each
};

/* ---- tests ---- */

static void answers_come_in_order(void **state)
{
	static struct outcome out[2000];
	char text[16];

	(void)state;
	answered = 0;
	memset(out, 0, sizeof(out));
	for (size_t i = 0; i < PW_LEN(out); i++) {
		(void)snprintf(text, sizeof(text), "%zu", i);
		ask(&echo, text, SOON_MS, &out[i]);
	}
	assert_int_equal(pw_db_async_pending(client), PW_LEN(out));
	run_until(&answered, PW_LEN(out));
	for (size_t i = 0; i < PW_LEN(out); i++) {
		assert_int_equal(out[i].status, PW_OK);
		assert_int_equal(out[i].number, i);
		assert_int_equal(out[i].order, i);
	}
	assert_int_equal(pw_db_async_pending(client), 0);
	assert_true(pw_db_async_is_up(client));
}

static void a_refusal_leaves_its_neighbours(void **state)
{
	struct outcome out[4] = { 0 };

	(void)state;
	answered = 0;
	ask(&divide, "0", SOON_MS, &out[0]); /* prepared, then refused */
	ask(&divide, "2", SOON_MS, &out[1]);
	ask(&divide, "0", SOON_MS, &out[2]);
	ask(&divide, "x", SOON_MS, &out[3]);
	run_until(&answered, 4);
	assert_int_equal(out[0].status, PW_ERR_PROTOCOL);
	assert_string_equal(out[0].sqlstate, "22012");
	assert_int_equal(out[1].status, PW_OK);
	assert_int_equal(out[1].number, 5);
	assert_int_equal(out[2].status, PW_ERR_PROTOCOL);
	assert_string_equal(out[3].sqlstate, "22P02");
	assert_int_equal(told.counts[PW_DB_LOST], 0);
}

static void a_statement_that_cannot_be_prepared(void **state)
{
	static const struct pw_db_statement missing = { "missing",
		                                        "SELECT no_such($1::text)", true,
		                                        NULL };
	struct outcome out[3] = { 0 };

	(void)state;
	answered = 0;
	for (size_t i = 0; i < PW_LEN(out); i++)
		ask(&missing, "x", SOON_MS, &out[i]);
	run_until(&answered, PW_LEN(out));
	for (size_t i = 0; i < PW_LEN(out); i++)
		assert_int_equal(out[i].status, PW_ERR_PROTOCOL);
	assert_string_equal(out[0].sqlstate, "42883");
	assert_int_equal(told.counts[PW_DB_LOST], 0);
	server_sql("CREATE FUNCTION no_such(text) RETURNS bigint LANGUAGE sql AS 'SELECT "
	           "3'");
	ask(&missing, "x", SOON_MS, &out[0]); /* prepared after all */
	run_until(&answered, 4);
	server_sql("DROP FUNCTION no_such(text)");
	assert_int_equal(out[0].status, PW_OK);
	assert_int_equal(out[0].number, 3);
}

static void chain(void *arg, enum pw_status status, const struct pw_db_result *result)
{
	done(arg, status, result);
	if (answered < 50)
		assert_int_equal(pw_db_async_query(client, &echo, &PW_STR("1"), 1,
		                                   pw_clock_mono_ms() + SOON_MS, chain,
		                                   arg),
		                 PW_OK);
}

static void a_callback_may_query(void **state)
{
	struct outcome out = { 0 };

	(void)state;
	answered = 0;
	assert_int_equal(pw_db_async_query(client, &echo, &PW_STR("1"), 1,
	                                   pw_clock_mono_ms() + SOON_MS, chain, &out),
	                 PW_OK);
	run_until(&answered, 50);
	assert_int_equal(out.calls, 50);
}

static void without_prepared_statements(void **state)
{
	struct pw_db_config config = server_config(&told);
	struct outcome out[2] = { 0 };

	(void)state;
	pw_db_async_close(&client);
	config.prepared = false;
	open_with(config, 10);
	answered = 0;
	ask(&divide, "0", SOON_MS, &out[0]);
	ask(&echo, "9", SOON_MS, &out[1]);
	run_until(&answered, 2);
	assert_int_equal(out[0].status, PW_ERR_PROTOCOL);
	assert_int_equal(out[1].number, 9);
}

static void a_session_that_forgot_its_statements(void **state)
{
	static const struct pw_db_statement forget = { "forget", "DEALLOCATE ALL", false,
		                                       NULL };
	static struct outcome out[400];
	char text[16];

	(void)state;
	answered = 0;
	memset(out, 0, sizeof(out));
	ask(&echo, "1", SOON_MS, &out[0]);
	run_until(&answered, 1);
	loop.is_inside = false;
	assert_int_equal(pw_db_async_query(client, &forget, NULL, 0,
	                                   pw_clock_mono_ms() + SOON_MS, done, &out[1]),
	                 PW_OK);
	for (size_t i = 2; i < PW_LEN(out);
	     i++) { /* in flight while the first ones fail */
		(void)snprintf(text, sizeof(text), "%zu", i);
		ask(&echo, text, SOON_MS, &out[i]);
	}
	run_until(&answered, PW_LEN(out));
	for (size_t i = 2; i < PW_LEN(out); i++) {
		assert_int_equal(out[i].status, PW_OK);
		assert_int_equal(out[i].number, i);
	}
	assert_int_equal(told.counts[PW_DB_LOST], 0);
}

static void a_migration_under_a_prepared_statement(void **state)
{
	static const struct pw_db_statement rows = {
		"rows", "SELECT * FROM pw_rows WHERE $1 = 'x'", true, NULL
	};
	struct outcome out[2] = { 0 };

	(void)state;
	server_sql("CREATE TABLE pw_rows AS SELECT 1 AS a");
	answered = 0;
	ask(&rows, "x", SOON_MS, &out[0]);
	run_until(&answered, 1);
	server_sql("ALTER TABLE pw_rows ALTER a TYPE bigint, ADD b int");
	ask(&rows, "x", SOON_MS, &out[1]);
	run_until(&answered, 2);
	server_sql("DROP TABLE pw_rows");
	assert_int_equal(out[1].status, PW_OK);
	assert_int_equal(out[1].number, 1);
}

static void the_server_restarts_under_queries(void **state)
{
	/* short once the server is back */
	static const struct pw_db_statement long_nap = {
		"long",
		"SELECT 7 FROM pg_sleep(CASE WHEN to_regclass($1) IS NULL THEN 15 END)",
		true, NULL
	};
	struct outcome out[4] = { 0 };

	(void)state;
	answered = 0;
	ask(&echo, "1", SOON_MS, &out[0]);
	run_until(&answered, 1);
	ask(&long_nap, "pw_awake", SOON_MS, &out[1]);
	ask(&nap_once, "0", SOON_MS,
	    &out[2]); /* in flight, and might have been carried out */
	ask(&echo, "4", SOON_MS, &out[3]);
	run_for(100);
	assert_int_equal(answered, 1);
	server_do("stop");
	run_until_told(PW_DB_LOST, 1);
	server_do("start");
	server_sql("CREATE TABLE pw_awake ()");
	run_until(&answered, 4);
	server_sql("DROP TABLE pw_awake");
	assert_int_equal(out[1].status, PW_OK);
	assert_int_equal(out[1].number, 7);
	assert_int_equal(out[2].status, PW_ERR_AWAY);
	assert_int_equal(out[3].status, PW_OK);
	assert_int_equal(out[3].number, 4);
	for (size_t i = 0; i < PW_LEN(out); i++)
		assert_int_equal(out[i].calls, 1);
}

static void a_killed_session_is_replaced_once(void **state)
{
	static const char at_it[] = "SELECT count(*) FROM pg_stat_activity WHERE state = "
				    "'active' AND application_name = 'pw-test'";
	struct outcome out = { 0 };

	(void)state;
	answered = 0;
	ask(&nap_once, "15", SOON_MS, &out);
	run_until_answer(at_it, 1);
	server_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	           "WHERE application_name = 'pw-test'");
	run_until_told(PW_DB_LOST, 1);
	/* the server says that it stopped the statement: it goes once more */
	run_until_told(PW_DB_CONNECTED, 2);
	run_until_answer(at_it, 1);
	assert_int_equal(answered, 0);
	server_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	           "WHERE application_name = 'pw-test'");
	run_until(&answered, 1);
	assert_int_equal(out.status, PW_ERR_AWAY);
	run_until_told(PW_DB_LOST, 2);
}

static void queries_wait_for_the_server(void **state)
{
	struct outcome out[2] = { 0 };
	int64_t start;

	(void)state;
	server_do("stop");
	answered = 0;
	start = pw_clock_mono_ms();
	ask(&echo, "1", 300, &out[0]);
	ask(&echo, "2", SOON_MS, &out[1]);
	run_until(&answered, 1);
	assert_in_range(took(start), 290, SOON_MS / 2);
	assert_int_equal(out[0].status, PW_ERR_TIMEOUT);
	assert_int_equal(told.counts[PW_DB_UNREACHABLE], 1);
	server_do("start");
	run_until(&answered, 2);
	assert_int_equal(out[1].status, PW_OK);
}

static void a_black_hole_is_bounded(void **state)
{
	struct pw_db_config config = server_config(&told);
	struct outcome out[3] = { 0 };
	int64_t start;

	(void)state;
	pw_db_async_close(&client);
	config.statement_timeout_ms = 3000;
	open_with(config, 10);
	answered = 0;
	ask(&echo, "1", SOON_MS, &out[0]);
	run_until(&answered, 1);
	server_do("freeze");
	start = pw_clock_mono_ms();
	ask(&echo, "2", 400, &out[1]);
	run_until(&answered, 2);
	assert_in_range(took(start), 390, SOON_MS / 2);
	assert_int_equal(out[1].status, PW_ERR_TIMEOUT);
	assert_int_equal(told.counts[PW_DB_LOST], 0);
	/* statement timeout and its grace: the connection is given up */
	run_until_told(PW_DB_LOST, 1);
	assert_string_equal(told.texts[PW_DB_LOST], "no answer in time");
	server_do("thaw");
	ask(&echo, "3", SOON_MS, &out[2]);
	run_until(&answered, 3);
	assert_int_equal(out[2].number, 3);
	assert_int_equal(out[1].calls, 1);
}

static void a_late_answer_is_thrown_away(void **state)
{
	struct outcome out[2] = { 0 };

	(void)state;
	answered = 0;
	ask(&nap, "2", 200, &out[0]);
	run_until(&answered, 1);
	assert_int_equal(out[0].status, PW_ERR_TIMEOUT);
	ask(&echo, "5", SOON_MS, &out[1]);
	run_until(&answered, 2);
	assert_int_equal(out[1].number, 5);
	assert_int_equal(out[0].calls, 1);
	assert_int_equal(told.counts[PW_DB_LOST], 0);
}

static void the_queue_is_bounded(void **state)
{
	struct outcome out[3] = { 0 };

	(void)state;
	pw_db_async_close(&client);
	open_with(server_config(&told), 2);
	answered = 0;
	ask(&echo, "1", SOON_MS, &out[0]);
	ask(&echo, "2", SOON_MS, &out[1]);
	assert_int_equal(pw_db_async_query(client, &echo, &PW_STR("3"), 1,
	                                   pw_clock_mono_ms() + SOON_MS, done, &out[2]),
	                 PW_ERR_LIMIT);
	assert_int_equal(pw_db_async_query(client, &echo, &PW_STR("3\0"), 1,
	                                   pw_clock_mono_ms() + SOON_MS, done, &out[2]),
	                 PW_ERR_LIMIT);
	run_until(&answered, 2);
	assert_int_equal(pw_db_async_query(client, &echo, &PW_STR("3\0"), 1,
	                                   pw_clock_mono_ms() + SOON_MS, done, &out[2]),
	                 PW_ERR_SYNTAX);
	assert_int_equal(out[2].calls, 0);
}

static void refused(void *arg, enum pw_status status, const struct pw_db_result *result)
{
	done(arg, status, result);
	assert_int_equal(pw_db_async_query(client, &echo, &PW_STR("1"), 1,
	                                   pw_clock_mono_ms() + SOON_MS, done, arg),
	                 PW_ERR_AWAY);
}

static void closing_fails_what_is_outstanding(void **state)
{
	struct outcome out[2] = { 0 };

	(void)state;
	answered = 0;
	ask(&nap, "15", SOON_MS, &out[0]);
	run_until_told(PW_DB_CONNECTED, 1);
	assert_int_equal(pw_db_async_query(client, &echo, &PW_STR("1"), 1,
	                                   pw_clock_mono_ms() + SOON_MS, refused,
	                                   &out[1]),
	                 PW_OK);
	loop.is_inside = true;
	pw_db_async_close(&client);
	assert_int_equal(answered, 2);
	assert_int_equal(out[0].status, PW_ERR_AWAY);
	assert_int_equal(out[1].status, PW_ERR_AWAY);
	open_client(NULL);
}

struct gather {
	struct outcome outcome;
	size_t rows;
};

static void done_gather(void *arg, enum pw_status status,
                        const struct pw_db_result *result)
{
	struct gather *out = arg;

	done(&out->outcome, status, result);
	out->rows = pw_db_rows(result);
}

static void ask_gathered(const char *param, struct gather *out)
{
	struct pw_str text = pw_str_from(param);

	assert_int_equal(pw_db_async_query(client, &gathered, &text, 1,
	                                   pw_clock_mono_ms() + SOON_MS, done_gather,
	                                   out),
	                 PW_OK);
}

static void queries_that_wait_go_as_one(void **state)
{
	static const struct pw_db_statement many = {
		"counted_many",
		"SELECT v, n FROM (SELECT pw_count('many')) AS c, unnest($1::text[]) "
		"WITH "
		"ORDINALITY AS q (v, n)",
		true, NULL
	};
	static const struct pw_db_statement counted = {
		"counted", "SELECT $1 FROM (SELECT pw_count('one')) AS c", true, &many
	};
	static struct outcome out[2000];
	char text[16];

	(void)state;
	server_sql("CREATE TABLE pw_calls (name text PRIMARY KEY, n int);"
	           "CREATE FUNCTION pw_count(text) RETURNS void LANGUAGE sql AS 'INSERT "
	           "INTO pw_calls VALUES (\\$1, 1) ON CONFLICT (name) DO UPDATE SET n = "
	           "pw_calls.n + 1'");
	answered = 0;
	memset(out, 0, sizeof(out));
	for (size_t i = 0; i < PW_LEN(out); i++) {
		(void)snprintf(text, sizeof(text), "%zu", i);
		ask(&counted, text, SOON_MS, &out[i]);
	}
	run_until(&answered, PW_LEN(out));
	for (size_t i = 0; i < PW_LEN(out); i++) {
		assert_int_equal(out[i].status, PW_OK);
		assert_int_equal(out[i].number, i);
	}
	assert_in_range(server_ask("SELECT sum(n) FROM pw_calls"), 2000 / 64, 100);
	server_sql("DROP TABLE pw_calls; DROP FUNCTION pw_count(text)");
}

static void each_of_a_group_gets_its_rows(void **state)
{
	static struct gather out[300];
	static const struct {
		const char *param;
		size_t rows;
	} kinds[] = { { "7", 1 }, { "0", 0 }, { "-5", 2 } };

	(void)state;
	answered = 0;
	memset(out, 0, sizeof(out));
	for (size_t i = 0; i < PW_LEN(out); i++)
		ask_gathered(kinds[i % 3].param, &out[i]);
	run_until(&answered, PW_LEN(out));
	for (size_t i = 0; i < PW_LEN(out); i++) {
		assert_int_equal(out[i].outcome.status, PW_OK);
		assert_int_equal(out[i].rows, kinds[i % 3].rows);
		if (out[i].rows > 0)
			assert_int_equal(out[i].outcome.number,
			                 strtol(kinds[i % 3].param, NULL, 10));
	}
}

static void a_refusal_leaves_its_group(void **state)
{
	static struct gather out[300];

	(void)state;
	answered = 0;
	memset(out, 0, sizeof(out));
	for (size_t i = 0; i < PW_LEN(out); i++)
		ask_gathered(i % 50 == 49 ? "\"}\\,NULL" : "3", &out[i]);
	run_until(&answered, PW_LEN(out));
	for (size_t i = 0; i < PW_LEN(out); i++) {
		assert_int_equal(out[i].outcome.calls, 1);
		assert_int_equal(out[i].outcome.status,
		                 i % 50 == 49 ? PW_ERR_PROTOCOL : PW_OK);
	}
	assert_int_equal(told.counts[PW_DB_LOST], 0);
}

static void a_group_that_cannot_be_prepared(void **state)
{
	static const struct pw_db_statement many = { "no_many",
		                                     "SELECT no_such($1::text[])", true,
		                                     NULL };
	static const struct pw_db_statement one = { "no_one", "SELECT $1::bigint", true,
		                                    &many };
	static struct outcome out[500];

	(void)state;
	answered = 0;
	memset(out, 0, sizeof(out));
	for (size_t i = 0; i < PW_LEN(out); i++)
		ask(&one, "8", SOON_MS, &out[i]);
	run_until(&answered, PW_LEN(out));
	for (size_t i = 0; i < PW_LEN(out); i++)
		assert_int_equal(out[i].number, 8);
	assert_int_equal(told.counts[PW_DB_LOST], 0);
}

/* Text as it was, whatever it means to an array: compared with bytes that mean nothing to
 * one. */
static void any_text_goes_in_a_group(void **state)
{
	static const struct pw_db_statement many = {
		"same_many",
		"SELECT 1, n FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS q "
		"(v, w, n) WHERE encode(convert_to(v, 'UTF8'), 'hex') = w",
		true, NULL
	};
	static const struct pw_db_statement same = {
		"same", "SELECT 1 WHERE encode(convert_to($1, 'UTF8'), 'hex') = $2", true,
		&many
	};
	static const char *texts[] = { "",  "NULL", "{}",       "a,b",    "{\"q\"}",
		                       " ", "a\\b", "\xc3\xa9", "a\n\tb", "'" };
	static struct gather out[200];

	(void)state;
	answered = 0;
	memset(out, 0, sizeof(out));
	for (size_t i = 0; i < PW_LEN(out); i++) {
		const char *text = texts[i % PW_LEN(texts)];
		char hex[16] = "";
		struct pw_str params[2] = { pw_str_from(text) };

		for (size_t at = 0; text[at] != '\0'; at++)
			(void)snprintf(hex + 2 * at, 3, "%02x", (unsigned char)text[at]);
		params[1] = pw_str_from(hex);
		if (i == 150)
			params[0] = (struct pw_str){ NULL, 0 };
		assert_int_equal(pw_db_async_query(client, &same, params, 2,
		                                   pw_clock_mono_ms() + SOON_MS,
		                                   done_gather, &out[i]),
		                 PW_OK);
	}
	run_until(&answered, PW_LEN(out));
	for (size_t i = 0; i < PW_LEN(out); i++) {
		assert_int_equal(out[i].outcome.status, PW_OK);
		assert_int_equal(out[i].rows, i == 150 ? 0 : 1);
	}
}

static void a_group_survives_a_restart(void **state)
{
	static struct gather out[500];
	struct outcome before = { 0 };

	(void)state;
	answered = 0;
	memset(out, 0, sizeof(out));
	ask_gathered("1", &out[0]);
	run_until(&answered, 1);
	ask(&nap_once, "15", SOON_MS, &before); /* holds up those behind it */
	for (size_t i = 1; i < PW_LEN(out); i++)
		ask_gathered("4", &out[i]);
	run_for(100);
	server_do("stop");
	server_do("start");
	run_until(&answered, PW_LEN(out) + 1);
	for (size_t i = 1; i < PW_LEN(out); i++) {
		assert_int_equal(out[i].outcome.status, PW_OK);
		assert_int_equal(out[i].outcome.calls, 1);
		assert_int_equal(out[i].outcome.number, 4);
	}
	assert_int_equal(pw_db_async_pending(client), 0);
}

/* A host that takes the connection and never speaks must not hide the one behind it. */
static void the_second_host_of_the_string(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct pw_db_config config = server_config(&told);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(at);
	char conninfo[256], folder[128], *end;
	struct outcome out = { 0 };

	(void)state;
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	(void)snprintf(folder, sizeof(folder), "%s", server_conninfo() + strlen("host="));
	if ((end = strchr(folder, ' ')))
		*end = '\0';
	(void)snprintf(conninfo, sizeof(conninfo),
	               "host=127.0.0.1,%s port=%d,15500 user=postgres dbname=postgres",
	               folder, ntohs(at.sin_port));
	pw_db_async_close(&client);
	config.conninfo = conninfo;
	config.connect_timeout_ms = 2000;
	open_with(config, 10);
	answered = 0;
	ask(&echo, "1", SOON_MS, &out);
	run_until(&answered, 1);
	(void)close(fd);
	assert_int_equal(out.status, PW_OK);
	assert_int_equal(told.counts[PW_DB_UNREACHABLE], 1);
	assert_string_equal(told.texts[PW_DB_CONNECTED], folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_client, close_client)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_come_in_order),
		TEST(a_refusal_leaves_its_neighbours),
		TEST(a_statement_that_cannot_be_prepared),
		TEST(a_callback_may_query),
		TEST(without_prepared_statements),
		TEST(a_session_that_forgot_its_statements),
		TEST(a_migration_under_a_prepared_statement),
		TEST(the_server_restarts_under_queries),
		TEST(a_killed_session_is_replaced_once),
		TEST(queries_wait_for_the_server),
		TEST(a_black_hole_is_bounded),
		TEST(a_late_answer_is_thrown_away),
		TEST(the_queue_is_bounded),
		TEST(closing_fails_what_is_outstanding),
		TEST(queries_that_wait_go_as_one),
		TEST(each_of_a_group_gets_its_rows),
		TEST(a_refusal_leaves_its_group),
		TEST(a_group_that_cannot_be_prepared),
		TEST(any_text_goes_in_a_group),
		TEST(a_group_survives_a_restart),
		TEST(the_second_host_of_the_string),
	};

	return server_conninfo() ? cmocka_run_group_tests(tests, NULL, NULL) : skipped();
}
