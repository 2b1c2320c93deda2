#include "tools/migrations.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "core/ascii.h"
#include "io/file.h"
#include "tools/shipped.h"

#define INSTALLED_FOLDER "/usr/share/postward/sql"
#define SOURCE_FOLDER "/../../sql/migrations" /* from the program's folder build/bin */
#define FILE_MAX_BYTES ((size_t)16 * 1024 * 1024)

void migrations_done(struct migrations *all)
{
	free(all->folder);
	free(all->at);
	*all = (struct migrations){ 0 };
}

const char *migration_state_text(enum migration_state state)
{
	static const char *const texts[] = { "pending", "applied", "changed", "no file" };

	return texts[state];
}

static char *find_folder(const char *wanted)
{
	PW_AUTO(pw_buf_done) struct pw_buf beside = { 0 };

	if (wanted == NULL)
		wanted = getenv("PW_SQL_DIR");
	if (wanted != NULL)
		return strdup(wanted);
	if (access(INSTALLED_FOLDER, R_OK) == 0)
		return strdup(INSTALLED_FOLDER);
	shipped_own_folder(&beside);
	pw_buf_puts(&beside, PW_STR(SOURCE_FOLDER));
	return pw_buf_status(&beside) == PW_OK ? strdup(pw_buf_text(&beside)) : NULL;
}

static enum pw_status checksum(char out[65], struct pw_str text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len;

	if (EVP_Digest(text.at, text.len, digest, &len, EVP_sha256(), NULL) != 1)
		return PW_ERR_CRYPTO;
	for (unsigned int i = 0; i < len; i++)
		(void)snprintf(out + 2 * (size_t)i, 3, "%02x", digest[i]);
	return PW_OK;
}

static void file_path(struct pw_buf *out, const char *folder, const struct migration *one)
{
	pw_buf_printf(out, "%s/%04d-%s.sql", folder, one->version, one->name);
}

static enum pw_status read_text(struct pw_buf *out, const char *folder,
                                const struct migration *one)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	enum pw_status r;

	file_path(&path, folder, one);
	if ((r = pw_buf_status(&path)) != PW_OK ||
	    (r = pw_file_read(out, pw_buf_text(&path), FILE_MAX_BYTES)) != PW_OK)
		return r;
	return pw_str_find(pw_buf_str(out), '\0') < out->len ? PW_ERR_SYNTAX : PW_OK;
}

static enum pw_status append(struct migrations *all, const struct migration *one)
{
	if (all->count == all->room) {
		size_t room = all->room == 0 ? 32 : all->room * 2;
		struct migration *at = reallocarray(all->at, room, sizeof(*at));

		if (at == NULL)
			return PW_ERR_NOMEM;
		all->at = at;
		all->room = room;
	}
	all->at[all->count++] = *one;
	return PW_OK;
}

/* "0012-name.sql" */
static bool parse_name(struct migration *out, const char *text)
{
	size_t len = strlen(text);
	int64_t version;

	if (len < 10 || len - 9 > MIGRATION_NAME_MAX || text[4] != '-' ||
	    strcmp(text + len - 4, ".sql") != 0 ||
	    pw_str_to_int64((struct pw_str){ text, 4 }, 1, MIGRATIONS_MAX, &version) !=
	            PW_OK)
		return false;
	*out = (struct migration){ .version = (int)version };
	memcpy(out->name, text + 5, len - 9);
	return true;
}

static int by_version(const void *a, const void *b)
{
	return ((const struct migration *)a)->version -
	       ((const struct migration *)b)->version;
}

static void close_folder(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

static enum pw_status add_file(struct migrations *all, struct migration *one)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r;

	if ((r = read_text(&text, all->folder, one)) != PW_OK ||
	    (r = checksum(one->checksum, pw_buf_str(&text))) != PW_OK)
		return r;
	return append(all, one);
}

enum pw_status migrations_read(struct migrations *out, const char *folder,
                               struct pw_buf *why)
{
	PW_AUTO(migrations_done)
	struct migrations all = { .folder = find_folder(folder) };
	PW_AUTO(close_folder) DIR *dir = NULL;
	struct migration one;
	struct dirent *entry;
	enum pw_status r;

	if (all.folder == NULL)
		return PW_ERR_NOMEM;
	if ((dir = opendir(all.folder)) == NULL) {
		pw_buf_printf(why, "%s: no such folder", all.folder);
		return PW_ERR_NOTFOUND;
	}
	while ((entry = readdir(dir)) != NULL)
		if (parse_name(&one, entry->d_name) &&
		    (r = add_file(&all, &one)) != PW_OK) {
			pw_buf_printf(why, "%s/%s: %s", all.folder, entry->d_name,
			              pw_status_text(r));
			return r;
		}
	if (all.count == 0) {
		pw_buf_printf(why, "%s: no migrations there", all.folder);
		return PW_ERR_NOTFOUND;
	}
	qsort(all.at, all.count, sizeof(*all.at), by_version);
	for (size_t i = 1; i < all.count; i++)
		if (all.at[i].version == all.at[i - 1].version) {
			pw_buf_printf(why, "%s: two files of number %04d", all.folder,
			              all.at[i].version);
			return PW_ERR_SYNTAX;
		}
	*out = all;
	all = (struct migrations){ 0 };
	return PW_OK;
}

/* "file:line: message", the line from the position the server names. */
static void explain_error(struct pw_buf *why, const char *folder,
                          const struct migration *one, struct pw_str text,
                          const struct pw_db_result *result, enum pw_status r)
{
	const char *message = pw_db_message(result);
	int64_t letter = pw_db_error_letter(result), line = 1;

	file_path(why, folder, one);
	if (letter > 0) {
		/* letters, not bytes */
		for (size_t i = 0; i < text.len && letter > 1; i++) {
			line += text.at[i] == '\n';
			letter -= ((unsigned char)text.at[i] & 0xc0) != 0x80;
		}
		pw_buf_printf(why, ":%lld", (long long)line);
	}
	pw_buf_printf(why, ": %s", message[0] != '\0' ? message : pw_status_text(r));
}

static enum pw_status run(struct pw_db_session *session, const char *sql,
                          const struct pw_str *params, size_t count,
                          struct pw_db_result **out, struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	enum pw_status r =
		pw_db_session_exec(session, sql, params, count, INT64_MAX, &result);

	if (r != PW_OK)
		pw_buf_puts(why, pw_str_from(pw_db_message(result)));
	if (r == PW_OK && out != NULL)
		*out = PW_TAKE(result);
	return r;
}

static enum pw_status run_plain(struct pw_db_session *session, const char *sql,
                                struct pw_buf *why)
{
	return run(session, sql, NULL, 0, NULL, why);
}

/* One number of one row. */
static enum pw_status ask(struct pw_db_session *session, const char *sql,
                          const struct pw_str *params, size_t count, int64_t *out,
                          struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	enum pw_status r = run(session, sql, params, count, &result, why);

	if (r == PW_OK)
		*out = pw_db_int(result, 0, 0, 0);
	return r;
}

/* Is there a table of versions yet? Asked of the catalogue, which is open to everybody.
 */
static enum pw_status has_versions(struct pw_db_session *session, bool *out,
                                   struct pw_buf *why)
{
	int64_t count = 0;
	enum pw_status r = ask(session,
	                       "SELECT count(*) FROM pg_catalog.pg_tables "
	                       "WHERE schemaname = 'mail' AND tablename = "
	                       "'schema_version'",
	                       NULL, 0, &count, why);

	*out = count > 0;
	return r;
}

static struct migration *by_number(struct migrations *all, int version)
{
	struct migration key = { .version = version };

	return bsearch(&key, all->at, all->count, sizeof(key), by_version);
}

/* A row of mail.schema_version against the files, which are the first of all.
 *
 * Errors  PW_ERR_NOMEM */
static enum pw_status compare_row(struct migrations *all, size_t files,
                                  const struct pw_db_result *rows, size_t row)
{
	struct migrations known = { .at = all->at, .count = files };
	struct migration done = { .state = MIGRATION_NO_FILE };
	struct pw_str name = pw_db_value(rows, row, 1), sum = pw_db_value(rows, row, 2);
	struct migration *one;

	done.version = (int)pw_db_int(rows, row, 0, 0);
	if ((one = by_number(&known, done.version)) != NULL) {
		one->state = pw_str_eq(pw_str_from(one->checksum), sum)
		                     ? MIGRATION_APPLIED
		                     : MIGRATION_CHANGED;
		return PW_OK;
	}
	(void)snprintf(done.name, sizeof(done.name), "%.*s", PW_FMT(name));
	(void)snprintf(done.checksum, sizeof(done.checksum), "%.*s", PW_FMT(sum));
	return append(all, &done);
}

enum pw_status migrations_compare(struct migrations *all, struct pw_db_session *session,
                                  struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	size_t files = all->count;
	bool is_there;
	enum pw_status r;

	if ((r = has_versions(session, &is_there, why)) != PW_OK || !is_there)
		return r;
	if ((r = run(session,
	             "SELECT version, name, checksum FROM mail.schema_version "
	             "ORDER BY version",
	             NULL, 0, &rows, why)) != PW_OK)
		return r;
	for (size_t i = 0; i < pw_db_rows(rows); i++)
		if ((r = compare_row(all, files, rows, i)) != PW_OK)
			return r;
	qsort(all->at, all->count, sizeof(*all->at), by_version);
	return PW_OK;
}

/* Is it in the table by now? Asked under the lock. */
static enum pw_status is_recorded(struct pw_db_session *session, struct pw_str version,
                                  bool *out, struct pw_buf *why)
{
	int64_t count = 0;
	enum pw_status r;

	if ((r = has_versions(session, out, why)) != PW_OK || !*out)
		return r;
	r = ask(session, "SELECT count(*) FROM mail.schema_version WHERE version = $1",
	        &version, 1, &count, why);
	*out = count > 0;
	return r;
}

static enum pw_status run_file(const struct migration *one, const char *folder,
                               const struct pw_buf *text, struct pw_db_session *session,
                               struct pw_buf *why)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	enum pw_status r =
		pw_db_session_script(session, pw_buf_text(text), INT64_MAX, &result);

	if (r != PW_OK)
		explain_error(why, folder, one, pw_buf_str(text), result, r);
	return r;
}

/* Inside the transaction. A file that ends it by itself would commit halves: noticed by
 * the transaction's number. */
static enum pw_status carry_out(const struct migration *one, struct pw_str version,
                                const char *folder, const struct pw_buf *text,
                                struct pw_db_session *session, struct pw_buf *why)
{
	static const char number[] = "SELECT pg_current_xact_id()";
	const struct pw_str row[] = { version, pw_str_from(one->name),
		                      pw_str_from(one->checksum) };
	int64_t before, after;
	enum pw_status r;

	if ((r = ask(session, number, NULL, 0, &before, why)) != PW_OK ||
	    (r = run_file(one, folder, text, session, why)) != PW_OK ||
	    (r = run_plain(session, "RESET ROLE", why)) != PW_OK ||
	    (r = run_plain(session, "RESET search_path", why)) != PW_OK ||
	    (r = ask(session, number, NULL, 0, &after, why)) != PW_OK)
		return r;
	if (before != after) {
		file_path(why, folder, one);
		pw_buf_puts(why, PW_STR(": ends the transaction it runs in"));
		return PW_ERR_PROTOCOL;
	}
	return run(session,
	           "INSERT INTO mail.schema_version (version, name, checksum) "
	           "VALUES ($1, $2, $3)",
	           row, PW_LEN(row), NULL, why);
}

/* Since PostgreSQL 16 who makes a role may grant it, but is no member of it unless told
 * so; the first migration makes the owner of the schema and goes on as that. */
static const char own_what_you_make[] =
	"SELECT set_config('createrole_self_grant', 'set, inherit', true) "
	"WHERE current_setting('server_version_num')::int >= 160000";

/* From BEGIN to just before COMMIT. */
static enum pw_status apply_once(const struct migration *one, const char *folder,
                                 const struct pw_buf *text, struct pw_db_session *session,
                                 struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf version = { 0 };
	bool is_done;
	enum pw_status r;

	pw_buf_put_int(&version, one->version);
	if ((r = pw_buf_status(&version)) != PW_OK)
		return r;
	/* The lock's number is "postward" in letters, as good as any. */
	if ((r = run_plain(session, "BEGIN", why)) != PW_OK ||
	    (r = run_plain(session, own_what_you_make, why)) != PW_OK ||
	    (r = run_plain(session,
	                   "SELECT pg_advisory_xact_lock(x'706f737477617264'::bigint)",
	                   why)) != PW_OK ||
	    (r = is_recorded(session, pw_buf_str(&version), &is_done, why)) != PW_OK ||
	    is_done)
		return r;
	return carry_out(one, pw_buf_str(&version), folder, text, session, why);
}

enum pw_status migration_apply(struct migration *one, const char *folder,
                               struct pw_db_session *session, struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, ignored = { 0 };
	char now_sum[65] = "";
	enum pw_status r;

	if ((r = read_text(&text, folder, one)) != PW_OK ||
	    (r = checksum(now_sum, pw_buf_str(&text))) != PW_OK)
		return r;
	if (strcmp(now_sum, one->checksum) != 0) {
		file_path(why, folder, one);
		pw_buf_puts(why, PW_STR(": has changed just now"));
		return PW_ERR_STATE;
	}
	r = apply_once(one, folder, &text, session, why);
	if (r == PW_OK)
		r = run_plain(session, "COMMIT", why);
	if (r == PW_OK)
		one->state = MIGRATION_APPLIED;
	else if (run_plain(session, "ROLLBACK", &ignored) != PW_OK)
		pw_buf_puts(why, PW_STR(" (and the connection is lost)"));
	return r;
}
