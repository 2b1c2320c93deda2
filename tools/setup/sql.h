/* What setup does in the database. All return an exit code, after writing to standard
 * error why it failed. */
#pragma once

/* CREATE DATABASE, through the server's own database `postgres`. */
int setup_sql_create(const char *conninfo, const char *name);
int setup_sql_migrate(const char *conninfo);
/* A statement with one argument, or two where second is not NULL. */
int setup_sql_statement(const char *conninfo, const char *sql, const char *first,
                        const char *second);
/* A mailbox with a password made here.
 *
 * password_out  TOOL_PASSWORD_MADE bytes */
int setup_sql_user(const char *conninfo, const char *email, char *password_out);
