#include "tools/database.h"

#include <pwd.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "db/conninfo.h"
#include "io/file.h"
#include "io/settings.h"

#define SHARED_FILE "/etc/postward/postward.conf"
#define FILE_MAX_BYTES ((size_t)1024 * 1024)
#define CONNECT_TIMEOUT_MS 10000
#define SERVER_VERSION_MIN 150000
#define SUPERUSER "postgres" /* of the system and of PostgreSQL, by Debian's packages */

struct settings {
	struct pw_settings_common common;
};

static const struct pw_settings_schema schema = {
	.program = "postwardctl",
	.purpose = "Chores of an administrator that SQL cannot do.",
	.size = sizeof(struct settings),
};

/* Without the file the defaults stand. */
static enum pw_status load_settings(struct settings **out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, notes = { 0 };
	struct pw_settings_source source = { .name = SHARED_FILE, .is_shared = true };
	enum pw_status r = pw_file_read(&text, SHARED_FILE, FILE_MAX_BYTES);

	if (r != PW_OK && r != PW_ERR_NOTFOUND) {
		(void)fprintf(stderr, "postwardctl: %s: %s\n", SHARED_FILE,
		              pw_status_text(r));
		return r;
	}
	source.bytes = pw_buf_str(&text);
	r = pw_settings_build(out, &schema, &source, r == PW_OK ? 1 : 0, NULL, &notes);
	if (r != PW_OK)
		(void)fprintf(stderr, "%s", pw_buf_text(&notes));
	return r;
}

/* PostgreSQL asks the kernel who connects. Its stock setup knows no root, so root
 * connects as the superuser, for as long as that takes.
 *
 * Returns false where nothing was changed. */
static bool become_superuser(const char *conninfo)
{
	const struct passwd *user = geteuid() == 0 && pw_db_conninfo_is_peer(conninfo)
	                                    ? getpwnam(SUPERUSER)
	                                    : NULL;

	return user != NULL && seteuid(user->pw_uid) == 0;
}

static enum pw_status open_session(struct pw_db_session **out,
                                   const struct pw_db_config *config,
                                   struct pw_buf *why_out)
{
	bool is_other = become_superuser(config->conninfo);
	enum pw_status r = pw_db_session_open(out, config, why_out);

	if (!is_other || seteuid(0) == 0)
		return r;
	if (r == PW_OK)
		pw_db_session_close(out);
	return PW_ERR_STATE;
}

enum pw_status tool_database_connect(struct pw_db_session **out, const char *conninfo,
                                     struct pw_buf *why_out)
{
	struct pw_db_config config = { .conninfo = conninfo,
		                       .program = "postwardctl",
		                       .connect_timeout_ms = CONNECT_TIMEOUT_MS,
		                       .prepared = true };

	return open_session(out, &config, why_out);
}

static struct pw_db_session *connect_to(const char *conninfo, int *exit_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_db_session *session = NULL;
	enum pw_status r = tool_database_connect(&session, conninfo, &why);

	if (r == PW_OK)
		return session;
	(void)fprintf(stderr, "postwardctl: %s\n",
	              why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
	*exit_out = r == PW_ERR_CONFIG ? EX_CONFIG : EX_UNAVAILABLE;
	return NULL;
}

static bool is_recent(struct pw_db_session *session)
{
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *row = tool_query(
		session, "SELECT current_setting('server_version_num')", 0, NULL);

	if (row == NULL)
		return false;
	if (pw_db_int(row, 0, 0, 0) >= SERVER_VERSION_MIN)
		return true;
	(void)fprintf(stderr, "postwardctl: PostgreSQL 15 or later is needed\n");
	return false;
}

struct pw_db_session *tool_database_open(const char *conninfo, int *exit_out)
{
	PW_AUTO(pw_settings_free) struct settings *set = NULL;
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;

	if (conninfo == NULL && load_settings(&set) != PW_OK) {
		*exit_out = EX_CONFIG;
		return NULL;
	}
	if (conninfo == NULL)
		conninfo = set->common.database;
	if ((session = connect_to(conninfo, exit_out)) == NULL)
		return NULL;
	*exit_out = EX_UNAVAILABLE;
	return is_recent(session) ? PW_TAKE(session) : NULL;
}

static void complain(enum pw_status r, const struct pw_db_result *result)
{
	const char *message = pw_db_message(result), *hint = pw_db_hint(result);

	(void)fprintf(stderr, "postwardctl: %s\n",
	              message[0] != '\0' ? message : pw_status_text(r));
	if (hint[0] != '\0')
		(void)fprintf(stderr, "postwardctl: hint: %s\n", hint);
}

struct pw_db_result *tool_query(struct pw_db_session *session, const char *sql,
                                size_t count, const char *const *values)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	struct pw_str params[PW_DB_PARAMS_MAX];
	enum pw_status r = PW_ERR_LIMIT;

	for (size_t i = 0; i < count && i < PW_LEN(params); i++)
		params[i] = values[i] != NULL ? pw_str_from(values[i])
		                              : (struct pw_str){ NULL, 0 };
	if (count <= PW_LEN(params))
		r = pw_db_session_exec(session, sql, params, count, INT64_MAX, &result);
	if (r == PW_OK)
		return PW_TAKE(result);
	complain(r, result);
	return NULL;
}
