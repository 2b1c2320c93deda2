/* Which connection strings lead to peer authentication. */
#include "../table.h"

#include <stdlib.h>

#include "core/base.h"
#include "db/conninfo.h"

struct row {
	const char *label, *conninfo, *host, *user; /* PGHOST, PGUSER */
	bool is_peer;
};
static struct row rows[] = {
	{ "a name alone", "dbname=postward", NULL, NULL, true },
	{ "a bare name is a string without keywords", "", NULL, NULL, true },
	{ "a folder", "host=/run/postgresql dbname=mail", NULL, NULL, true },
	{ "an abstract socket", "host=@pg", NULL, NULL, true },
	{ "a host", "host=db.example.org dbname=mail", NULL, NULL, false },
	{ "an address", "hostaddr=192.0.2.7", NULL, NULL, false },
	{ "a folder, then a host", "host=/run/postgresql,db.example.org", NULL, NULL,
	  false },
	{ "a user", "dbname=mail user=ann", NULL, NULL, false },
	{ "a URI with a host", "postgresql://db.example.org/mail", NULL, NULL, false },
	{ "a URI with a user", "postgresql://ann@/mail", NULL, NULL, false },
	{ "a URI without either", "postgresql:///mail", NULL, NULL, true },
	{ "PGHOST names a host", "dbname=mail", "db.example.org", NULL, false },
	{ "PGHOST names a folder", "dbname=mail", "/tmp", NULL, true },
	{ "the string wins over PGHOST", "host=/tmp", "db.example.org", NULL, true },
	{ "PGUSER", "dbname=mail", NULL, "ann", false },
	{ "what libpq cannot read", "no such=keyword", NULL, NULL, false },
};

static void set(const char *name, const char *value)
{
	assert_int_equal(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void check_row(void **state)
{
	const struct row *row = *state;

	set("PGHOST", row->host);
	set("PGUSER", row->user);
	assert_int_equal(pw_db_conninfo_is_peer(row->conninfo), row->is_peer);
}

static struct value_row {
	const char *label, *conninfo, *keyword, *value; /* value NULL: libpq refuses it */
} value_rows[] = {
	{ "value: a host", "host=db.example.org dbname=mail", "host", "db.example.org" },
	{ "value: quoted", "dbname='my mail' user=ann", "dbname", "my mail" },
	{ "value: the last one counts", "dbname=mail dbname=postgres", "dbname",
	  "postgres" },
	{ "value: of a URI", "postgresql://ann@db.example.org:5433/mail", "port",
	  "5433" },
	{ "value: not there", "dbname=mail", "host", "" },
	{ "value: no connection string", "dbname", "host", NULL },
};

static void check_value(void **state)
{
	const struct value_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 }, why = { 0 };
	enum pw_status r =
		pw_db_conninfo_value(&value, row->conninfo, row->keyword, &why);

	assert_int_equal(r, row->value != NULL ? PW_OK : PW_ERR_SYNTAX);
	assert_string_equal(pw_buf_text(&value), row->value != NULL ? row->value : "");
	assert_int_equal(why.len > 0, row->value == NULL);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + PW_LEN(value_rows)];

	for (size_t i = 0; i < PW_LEN(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].label, check_row, NULL, NULL,
			                        &rows[i] };
	for (size_t i = 0; i < PW_LEN(value_rows); i++)
		tests[PW_LEN(rows) + i] =
			(struct CMUnitTest){ value_rows[i].label, check_value, NULL, NULL,
			                     &value_rows[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
