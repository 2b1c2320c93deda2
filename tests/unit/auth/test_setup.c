#include "../table.h"

#include <string.h>

#include "auth/setup.h"

/* clang-format off */
static struct row {
	const char *label, *text;
	enum pw_status status;
	const char *why; /* on failure */
	const char *database, *socket, *query;
	bool prepared;
} rows[] = {
	{ "nothing",   "", PW_OK, NULL, "", "/run/postward/auth.sock", "", true },
	{ "database",  "database = host=/x dbname=mail\n", PW_OK, NULL,
	               "host=/x dbname=mail", "/run/postward/auth.sock", "", true },
	{ "no more than that", "database = a b", PW_OK, NULL,
	               "a b", "/run/postward/auth.sock", "", true },
	{ "all",       "# us\ndatabase = d\r\nprepared_statements = no\nauth_socket = /s\n"
	               "passdb_query = SELECT a,\n  b FROM t\n", PW_OK, NULL,
	               "d", "/s", "SELECT a,  b FROM t", false },
	{ "socket off", "auth_socket =\n", PW_OK, NULL, "", "", "", true },
	{ "yes",        "prepared_statements = yes\n", PW_OK, NULL,
	               "", "/run/postward/auth.sock", "", true },
	{ "last one counts", "database = a\ndatabase = b\n", PW_OK, NULL,
	               "b", "/run/postward/auth.sock", "", true },
	{ "unknown",   "database = a\n\nqueery = b\n", PW_ERR_CONFIG,
	               "line 3: queery: unknown setting", NULL, NULL, NULL, false },
	{ "neither",   "prepared_statements = maybe\n", PW_ERR_CONFIG,
	               "line 1: prepared_statements: the value is neither yes nor no",
	               NULL, NULL, NULL, false },
	{ "no equals", "database\n", PW_ERR_CONFIG, "line 1: missing '='",
	               NULL, NULL, NULL, false },
	{ "NUL-like",  "database = a\x01" "b\n", PW_ERR_CONFIG, "line 1: control character",
	               NULL, NULL, NULL, false },
};

static struct query_row {
	const char *label, *query;
	size_t parameters;
} query_rows[] = {
	{ "none",          "SELECT 1",             0 },
	{ "one",           "SELECT $1",            1 },
	{ "the highest",   "SELECT $2, $1",        2 },
	{ "twice",         "SELECT $1, $1",        1 },
	{ "a gap",         "SELECT $3",            3 },
	{ "at the end",    "x = $",                0 },
	{ "two digits",    "x = $12",              0 },
	{ "dollar quotes", "SELECT $$1$$, $x$a$x$", 0 },
	{ "empty",         "",                     0 },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;
	struct setup setup = setup_defaults();
	struct pw_arena *arena = NULL;
	struct pw_buf why = { 0 };

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(setup_parse(&setup, arena, pw_str_from(row->text), &why),
	                 row->status);
	if (row->why) {
		assert_string_equal(pw_buf_text(&why), row->why);
	} else {
		assert_string_equal(setup.database, row->database);
		assert_string_equal(setup.auth_socket, row->socket);
		assert_string_equal(setup.passdb_query, row->query);
		assert_int_equal(setup.prepared, row->prepared);
		assert_string_equal(setup.iterate_query, "");
	}
	pw_buf_done(&why);
	pw_arena_free(&arena);
}

static void check_query(void **state)
{
	const struct query_row *row = *state;

	assert_int_equal(setup_query_parameters(row->query), row->parameters);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + PW_LEN(query_rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	PW_TABLE_TESTS(tests, PW_LEN(rows), query_rows, check_query);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
