/* postwardctl passwd --app: app passwords are made by SQL, shown here once. */
#pragma once

#include "tools/options.h"

enum app_password_verb { APP_PASSWORD_ADD, APP_PASSWORD_REVOKE, APP_PASSWORD_LIST };

struct app_password_order {
	enum app_password_verb verb;
	const char *database;          /* libpq string, NULL = that of postward.conf */
	const char *user;              /* address of the mailbox */
	const char *name;              /* of the device; NULL for a list */
	const char *protocols;         /* "imap,smtp"; NULL = all */
	const char *expires_at;        /* as PostgreSQL reads a time; NULL = never */
	const struct tool_texts *nets; /* none = from everywhere */
	bool is_json;
};

/* Carry it out and print the answer; what went wrong goes to standard error.
 *
 * Returns the exit code: EXIT_FINE, EX_DATAERR when SQL refused, EX_UNAVAILABLE or
 * EX_CONFIG without a database. */
int app_password_run(const struct app_password_order *order);
