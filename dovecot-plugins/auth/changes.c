#include "changes.h"

#include "auth-common.h"

#include "ioloop.h"
#include "passdb-cache.h"

#include "core/str.h"

#include "database.h"

#define INTERVAL_MS 1000
#define WAIT_MS 3000

static const struct pw_db_statement statement = {
	.name = "postward_changes",
	.sql = "SELECT generation, login FROM mail.dovecot_changes($1)",
	.is_repeatable = true,
};

static struct {
	struct database *database; /* NULL = not begun */
	changes_told_fn *told;
	struct timeout *to;
	int64_t generation; /* all changes up to this one are known; 0 = none is */
	bool is_asking;
	bool has_aliases; /* something is cached under another name */
	bool has_warned;
} feed;

void changes_note_alias(void)
{
	feed.has_aliases = true;
}

bool changes_are_known(void)
{
	return feed.generation > 0;
}

void changes_forget(const char *login)
{
	const char *const logins[] = { login, NULL };
	bool everybody = strcmp(login, "*") == 0 || *login == '@' || feed.has_aliases;

	if (feed.told != NULL)
		feed.told(everybody ? NULL : login);
	if (passdb_cache == NULL)
		return;
	if (everybody) {
		(void)auth_cache_clear(passdb_cache);
		feed.has_aliases = false;
	} else {
		(void)auth_cache_clear_users(passdb_cache, logins);
	}
}

/* The first answer says where we stand; what was cached before it may be old. A server
 * that knows fewer changes than we do is another one, or was restored. */
static void take(const struct pw_db_result *rows)
{
	int64_t newest = 0, generation;
	const char *login;

	for (size_t i = 0; i < pw_db_rows(rows); i++) {
		generation = pw_db_int(rows, i, 0, 0);
		newest = I_MAX(newest, generation);
	}
	if (feed.generation == 0 || newest < feed.generation)
		changes_forget("*");
	for (size_t i = 0; i < pw_db_rows(rows); i++)
		if ((login = database_text(rows, i, 1)) != NULL)
			changes_forget(login);
	feed.generation = I_MAX(newest, 1);
}

static void on_answer(void *arg ATTR_UNUSED, enum pw_status status,
                      const struct pw_db_result *rows)
{
	feed.is_asking = false;
	if (status == PW_OK) {
		take(rows);
		feed.has_warned = false;
	} else if (status == PW_ERR_DENIED || status == PW_ERR_PROTOCOL) {
		feed.generation = 0;
		if (!feed.has_warned)
			e_warning(
				auth_event,
				"postward: changes of logins cannot be followed, cached "
				"answers hold for auth_cache_ttl: %s",
				database_why(status, rows));
		feed.has_warned = true;
	}
}

static void ask(void *context ATTR_UNUSED)
{
	char number[MAX_INT_STRLEN];
	struct pw_str since;

	if (feed.is_asking)
		return;
	(void)i_snprintf(number, sizeof(number), "%lld", (long long)feed.generation);
	since = pw_str_from(number);
	feed.is_asking = database_ask(feed.database, &statement, &since, 1, WAIT_MS,
	                              on_answer, NULL) == PW_OK;
}

void changes_follow(struct database *database, changes_told_fn *told)
{
	feed.told = told;
	if (passdb_cache == NULL || feed.database != NULL)
		return;
	feed.database = database;
	feed.to = timeout_add(INTERVAL_MS, ask, NULL);
	ask(NULL);
}

void changes_deinit(void)
{
	timeout_remove(&feed.to);
	feed.database = NULL;
}
