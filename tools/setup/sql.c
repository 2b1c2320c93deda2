#include "tools/setup/sql.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/command.h"
#include "tools/database.h"
#include "tools/migrations.h"
#include "tools/password.h"

static int run(struct pw_db_session *session, const char *sql, const char *first,
               const char *second)
{
	const char *const values[] = { first, second };
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *rows = tool_query(session, sql,
	                                       first == NULL    ? 0
	                                       : second == NULL ? 1
	                                                        : 2,
	                                       values);

	return rows != NULL ? EXIT_FINE : EX_SOFTWARE;
}

int setup_sql_create(const char *conninfo, const char *name)
{
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf server = { 0 }, sql = { 0 };
	int code = EX_UNAVAILABLE;

	/* the last word counts; a URI has its database where no other can follow */
	if (strstr(conninfo, "://") != NULL) {
		(void)fprintf(
			stderr,
			"postwardctl: there is no database %s; make it on that server\n",
			name);
		return code;
	}
	pw_buf_printf(&server, "%s dbname=postgres", conninfo);
	pw_buf_puts(&sql, PW_STR("CREATE DATABASE \""));
	for (const char *c = name; *c != '\0'; c++)
		pw_buf_puts(&sql, *c == '"' ? PW_STR("\"\"") : (struct pw_str){ c, 1 });
	pw_buf_puts(&sql,
	            PW_STR("\" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"));
	if (pw_buf_status(&server) != PW_OK || pw_buf_status(&sql) != PW_OK)
		return EX_OSERR;
	if ((session = tool_database_open(pw_buf_text(&server), &code)) == NULL)
		return code;
	return run(session, pw_buf_text(&sql), NULL, NULL);
}

static int give_up(const struct pw_buf *why, enum pw_status r)
{
	(void)fprintf(stderr, "postwardctl: %s\n",
	              why->len > 0 ? pw_buf_text(why) : pw_status_text(r));
	return EX_SOFTWARE;
}

int setup_sql_migrate(const char *conninfo)
{
	PW_AUTO(migrations_done) struct migrations all = { 0 };
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r;
	int code;

	if ((session = tool_database_open(conninfo, &code)) == NULL)
		return code;
	if ((r = migrations_read(&all, NULL, &why)) != PW_OK ||
	    (r = migrations_compare(&all, session, &why)) != PW_OK)
		return give_up(&why, r);
	for (size_t i = 0; i < all.count; i++)
		if (all.at[i].state == MIGRATION_PENDING &&
		    (r = migration_apply(&all.at[i], all.folder, session, &why)) != PW_OK)
			return give_up(&why, r);
	return EXIT_FINE;
}

int setup_sql_statement(const char *conninfo, const char *sql, const char *first,
                        const char *second)
{
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	int code;

	if ((session = tool_database_open(conninfo, &code)) == NULL)
		return code;
	return run(session, sql, first, second);
}

int setup_sql_user(const char *conninfo, const char *email, char *password_out)
{
	char hash[TOOL_HASH_MAX];
	int code;

	if (!tool_password_make(password_out) ||
	    !tool_password_hash(hash, password_out, 0)) {
		(void)fprintf(stderr, "postwardctl: no password could be made\n");
		return EX_OSERR;
	}
	code = setup_sql_statement(
		conninfo,
		"INSERT INTO mail.virtual_users (email, password) VALUES ($1, $2)", email,
		hash);
	if (code != EXIT_FINE)
		pw_wipe(password_out, TOOL_PASSWORD_MADE);
	return code;
}
