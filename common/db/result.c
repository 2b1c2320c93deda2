#include "db/result.h"

#include <libpq-fe.h>
#include <limits.h>
#include <string.h>

#include "db/pg.h"

/* struct pw_db_result is never defined: it is a PGresult under a name of ours. */
static const PGresult *pg(const struct pw_db_result *result)
{
	return (const PGresult *)result;
}

struct pw_db_result *pw_db_result_from(PGresult *result)
{
	return (struct pw_db_result *)result;
}

void pw_db_result_free(struct pw_db_result **result)
{
	PQclear((PGresult *)*result); /* accepts NULL */
	*result = NULL;
}

size_t pw_db_rows(const struct pw_db_result *result)
{
	return result ? (size_t)PQntuples(pg(result)) : 0;
}

size_t pw_db_columns(const struct pw_db_result *result)
{
	return result ? (size_t)PQnfields(pg(result)) : 0;
}

struct pw_str pw_db_value(const struct pw_db_result *result, size_t row, size_t column)
{
	if (row >= pw_db_rows(result) || column >= pw_db_columns(result) ||
	    PQgetisnull(pg(result), (int)row, (int)column))
		return (struct pw_str){ NULL, 0 };
	return (struct pw_str){ PQgetvalue(pg(result), (int)row, (int)column),
		                (size_t)PQgetlength(pg(result), (int)row, (int)column) };
}

int64_t pw_db_int(const struct pw_db_result *result, size_t row, size_t column,
                  int64_t fallback)
{
	return pw_db_text_int(pw_db_value(result, row, column), fallback);
}

bool pw_db_bool(const struct pw_db_result *result, size_t row, size_t column)
{
	return pw_db_text_bool(pw_db_value(result, row, column));
}

int64_t pw_db_text_int(struct pw_str text, int64_t fallback)
{
	int64_t n = fallback;

	return pw_str_to_int64(text, INT64_MIN, INT64_MAX, &n) == PW_OK ? n : fallback;
}

bool pw_db_text_bool(struct pw_str text)
{
	return pw_str_eq(text, PW_STR("t"));
}

/* "" when it is not there. */
static const char *error_field(const struct pw_db_result *result, int field)
{
	const char *text = result ? PQresultErrorField(pg(result), field) : NULL;

	return text ? text : "";
}

const char *pw_db_sqlstate(const struct pw_db_result *result)
{
	return error_field(result, PG_DIAG_SQLSTATE);
}

const char *pw_db_message(const struct pw_db_result *result)
{
	const char *text = error_field(result, PG_DIAG_MESSAGE_PRIMARY);

	return text[0] == '\0' && result ? PQresultErrorMessage(pg(result)) : text;
}

const char *pw_db_hint(const struct pw_db_result *result)
{
	return error_field(result, PG_DIAG_MESSAGE_HINT);
}

int64_t pw_db_error_letter(const struct pw_db_result *result)
{
	return pw_db_text_int(
		pw_str_from(error_field(result, PG_DIAG_STATEMENT_POSITION)), 0);
}

/* ---- what a refusal means ---- */

struct meaning {
	const char *sqlstate; /* or its beginning */
	enum pw_status status;
	bool ends_connection;
};
/* First match counts. Class 40 (deadlock), 53 (resources), 58 (system) pass by
 * themselves. */
/* clang-format off */
static const struct meaning meanings[] = {
	{ "57014", PW_ERR_TIMEOUT, false }, /* statement_timeout */
	{ "57P",   PW_ERR_AWAY,    true },  /* shutdown, crash, starting up */
	{ "25006", PW_ERR_AWAY,    true },  /* read-only: the primary moved */
	{ "08",    PW_ERR_AWAY,    true },
	{ "40",    PW_ERR_AWAY,    false },
	{ "53",    PW_ERR_AWAY,    false },
	{ "55P03", PW_ERR_AWAY,    false }, /* lock not available */
	{ "58",    PW_ERR_AWAY,    false },
	{ "42501", PW_ERR_DENIED,  false },
	{ "28",    PW_ERR_DENIED,  false },
	{ "",      PW_ERR_PROTOCOL, false },
};
/* clang-format on */

enum pw_status pw_db_judge(const struct pw_db_result *result, bool *ends_connection)
{
	ExecStatusType kind = PQresultStatus(pg(result));
	const char *state = pw_db_sqlstate(result);
	const struct meaning *m = meanings;

	*ends_connection = false;
	if (result && (kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK))
		return PW_OK;
	if (state[0] == '\0') {
		*ends_connection = true; /* libpq's own error: the connection broke */
		return PW_ERR_AWAY;
	}
	while (strncmp(state, m->sqlstate, strlen(m->sqlstate)) != 0)
		m++;
	*ends_connection = m->ends_connection;
	return m->status;
}
