/* The database: can everybody who has to reach it, and is the schema in order? */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "db/conninfo.h"
#include "io/child.h"
#include "io/clock.h"
#include "tools/check/check.h"
#include "tools/check/clock.h"
#include "tools/check/postfix.h"
#include "tools/database.h"
#include "tools/identity.h"
#include "tools/migrations.h"
#include "tools/settings_file.h"

#define WHY_MAX 512

/* ---- one session ---- */

/* NULL after it has told why: an error once, by the check of the connection itself. */
static struct pw_db_session *connect_to(struct check_report *report,
                                        const struct check_context *context,
                                        bool is_error)
{
	PW_AUTO(pw_buf_done) struct pw_buf conninfo = { 0 }, why = { 0 };
	struct pw_db_session *session = NULL;
	enum pw_status r;

	check_put_conninfo(&conninfo, context);
	r = tool_database_connect(&session, pw_buf_text(&conninfo), &why);
	if (r == PW_OK)
		return session;
	if (!is_error) {
		check_skip(report, "the database cannot be reached");
		return NULL;
	}
	check_error(report, "the database cannot be reached: %s",
	            why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
	check_cure(report,
	           pw_db_conninfo_is_peer(pw_buf_text(&conninfo))
	                   ? "systemctl restart postgresql; pg_lsclusters"
	                   : "grep ^database /etc/postward/postward.conf, and look "
	                     "at the server it names");
	return NULL;
}

static struct pw_db_result *query(struct check_report *report,
                                  struct pw_db_session *session, const char *sql)
{
	struct pw_db_result *rows = NULL;
	enum pw_status r = pw_db_session_exec(session, sql, NULL, 0, INT64_MAX, &rows);

	if (r == PW_OK)
		return rows;
	check_blind(report, "the database refused: %s",
	            pw_db_message(rows)[0] != '\0' ? pw_db_message(rows)
	                                           : pw_status_text(r));
	pw_db_result_free(&rows);
	return NULL;
}

void check_database(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_db_session_close)
	struct pw_db_session *session = connect_to(report, context, true);
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;

	if (session == NULL ||
	    (rows = query(report, session,
	                  "SELECT current_setting('server_version_num')::int, "
	                  "pg_is_in_recovery()")) == NULL)
		return;
	if (pw_db_int(rows, 0, 0, 0) < 150000)
		check_error(report, "PostgreSQL is older than 15");
	if (pw_db_bool(rows, 0, 1))
		check_warning(report,
		              "the database that is reached is a standby: nothing can "
		              "be changed there");
}

/* ---- schema ---- */

static void judge_migrations(struct check_report *report, const struct migrations *all)
{
	size_t pending = 0;

	for (size_t i = 0; i < all->count; i++) {
		const struct migration *one = &all->at[i];

		pending += one->state == MIGRATION_PENDING;
		if (one->state == MIGRATION_CHANGED)
			check_error(report,
			            "migration %04d-%s is not what was carried out",
			            one->version, one->name);
		else if (one->state == MIGRATION_NO_FILE)
			check_warning(report,
			              "migration %04d-%s is of a newer release than "
			              "this one",
			              one->version, one->name);
		else
			continue;
		check_cure(report, "apt install --reinstall postward-schema");
	}
	if (pending == 0)
		return;
	check_error(report, "%zu migrations of schema mail are not carried out", pending);
	check_cure(report, "postwardctl schema migrate");
}

void check_schema(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(migrations_done) struct migrations all = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	enum pw_status r = migrations_read(&all, context->opt->sql_folder, &why);

	if (r == PW_OK && (session = connect_to(report, context, false)) == NULL)
		return;
	if (r == PW_OK)
		r = migrations_compare(&all, session, &why);
	if (r != PW_OK) {
		check_blind(report, "%s",
		            why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
		return;
	}
	judge_migrations(report, &all);
	if (report->bytes.len > 0 ||
	    (rows = query(report, session, "SELECT * FROM mail.schema_problems()")) ==
	            NULL)
		return;
	for (size_t i = 0; i < pw_db_rows(rows); i++) {
		check_error(report, "%.*s", PW_FMT(pw_db_value(rows, i, 0)));
		check_cure(report, "postwardctl schema verify");
	}
}

/* What SQL finds by itself: aliases, logins, quotas, keys. What was recorded of DNS is
 * left out where DNS itself is asked. */
void check_rows(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_db_session_close)
	struct pw_db_session *session = connect_to(report, context, false);
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;

	if (session == NULL ||
	    (rows = query(report, session,
	                  "SELECT severity, what, hint FROM mail.check()")) == NULL)
		return;
	for (size_t i = 0; i < pw_db_rows(rows); i++) {
		struct pw_str hint = pw_db_value(rows, i, 2);

		if (context->opt->has_network &&
		    pw_str_starts(hint, PW_STR("postwardctl dns check")))
			continue;
		(pw_str_eq(pw_db_value(rows, i, 0), PW_STR("error")) ? check_error
		                                                     : check_warning)(
			report, "%.*s", PW_FMT(pw_db_value(rows, i, 1)));
		check_cure(report, "%.*s", PW_FMT(hint));
	}
}

/* ---- roles ---- */

struct login {
	const char *conninfo;
	int out; /* why not, for the parent */
};

/* In a process that is that user: peer authentication goes by who the process is. */
static int log_in(void *arg)
{
	const struct login *login = arg;
	struct pw_db_config config = { .conninfo = login->conninfo,
		                       .program = "postwardctl",
		                       .connect_timeout_ms = 5000,
		                       .prepared = true };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	enum pw_status r = pw_db_session_open(&session, &config, &why);

	if (r == PW_OK)
		r = pw_db_session_exec(session, "SELECT mail.generation()", NULL, 0,
		                       INT64_MAX, &rows);
	if (r == PW_OK)
		return 0;
	pw_buf_puts(&why, pw_str_from(pw_db_message(rows)));
	if (write(login->out, pw_buf_text(&why), why.len) < 0)
		return 2;
	return 1;
}

static void try_role(struct check_report *report, const char *user, const char *conninfo,
                     const char *cure)
{
	struct login login = { .conninfo = conninfo };
	char why[WHY_MAX] = "";
	struct identity who;
	int ends[2], code = 0;
	enum pw_status r;

	if (identity_find(&who, pw_str_from(user)) != PW_OK) {
		check_error(report, "there is no user %s", user);
		check_cure(report, "systemd-sysusers");
		return;
	}
	if (pipe(ends) != 0) {
		check_blind(report, "%s", strerror(errno));
		return;
	}
	login.out = ends[1];
	r = identity_run(&who, NULL, "/", log_in, &login, &code);
	(void)close(ends[1]);
	if (r == PW_OK && code != 0 && read(ends[0], why, sizeof(why) - 1) >= 0) {
		check_error(report, "user %s cannot use the database: %s", user, why);
		check_cure(report, "%s", cure);
	} else if (r != PW_OK) {
		check_blind(report, "only root can try the database as user %s", user);
		check_cure(report, "sudo postwardctl check");
	}
	(void)close(ends[0]);
}

void check_roles(struct check_report *report, const struct check_context *context)
{
	static const struct {
		const char *user, *program;
	} programs[] = {
		{ "postward_score", "postward-score" },
		{ "postward_dkim", "postward-dkim" },
		{ "postward_policy", "postward-policyd" },
	};
	PW_AUTO(pw_buf_done) struct pw_buf dovecot = { 0 };

	(void)context;
	for (size_t i = 0; i < PW_LEN(programs); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf conninfo = { 0 };

		settings_file_value(&conninfo, programs[i].program, "database",
		                    CHECK_CONNINFO);
		try_role(report, programs[i].user, pw_buf_text(&conninfo),
		         "postwardctl schema migrate; psql postward -c 'SELECT * FROM "
		         "pg_hba_file_rules'");
	}
	settings_file_value_of(&dovecot, "/etc/dovecot/postward-dovecot.conf", "database",
	                       "");
	if (dovecot.len > 0)
		try_role(report, "dovecot", pw_buf_text(&dovecot),
		         "postwardctl setup --regenerate");
}

/* ---- Postfix's tables ---- */

struct lookup {
	const char *table, *key;
	int64_t timeout_ms;
	int out;
};

static int look_up(void *arg)
{
	const struct lookup *l = arg;
	const char *const argv[] = { "postmap", "-q", l->key, l->table, NULL };
	PW_AUTO(pw_buf_done) struct pw_buf err = { 0 };
	int code = 0;

	if (pw_child_run(argv, (struct pw_str){ 0 }, NULL, &err, l->timeout_ms, &code) !=
	    PW_OK)
		return 2;
	if (err.len > 0 && write(l->out, pw_buf_text(&err), err.len) < 0)
		return 2;
	return code != 0;
}

/* postmap(1) has to be asked as Postfix is, and where it is; proxy: is only another
 * process that asks. */
static void try_table(struct check_report *report, const struct check_context *context,
                      struct pw_str table, const char *domain)
{
	PW_AUTO(pw_buf_done) struct pw_buf plain = { 0 }, user = { 0 }, queue = { 0 };
	struct lookup lookup = { .key = domain };
	char why[WHY_MAX] = "";
	struct identity who;
	int ends[2], code = 0;
	enum pw_status r;

	if (pw_str_starts(table, PW_STR("proxy:")))
		table = pw_str_sub(table, 6, table.len);
	pw_buf_puts(&plain, table);
	pw_buf_puts(&user, postconf_value(&context->postfix, NULL, "mail_owner"));
	pw_buf_puts(&queue, postconf_value(&context->postfix, NULL, "queue_directory"));
	if (identity_find(&who, pw_buf_str(&user)) != PW_OK || pipe(ends) != 0)
		return;
	lookup.table = pw_buf_text(&plain);
	lookup.timeout_ms = context->deadline_ms - pw_clock_mono_ms();
	lookup.out = ends[1];
	r = identity_run(&who, NULL, pw_buf_text(&queue), look_up, &lookup, &code);
	(void)close(ends[1]);
	if (r != PW_OK) {
		check_blind(report, "only root can ask %s as Postfix does", lookup.table);
		check_cure(report, "sudo postwardctl check");
	} else if (code != 0 && read(ends[0], why, sizeof(why) - 1) >= 0) {
		check_error(report, "Postfix does not find domain %s in %s%s%.*s", domain,
		            lookup.table, why[0] != '\0' ? ": " : "",
		            PW_FMT(pw_str_trim(pw_str_from(why))));
		check_cure(report, "cd %s && sudo -u %s postmap -vq %s %s",
		           pw_buf_text(&queue), pw_buf_text(&user), domain, lookup.table);
	}
	(void)close(ends[0]);
}

void check_maps(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf domains = { 0 };
	struct pw_str tables, table;

	if (context->postfix.count == 0) {
		check_blind(report, "%.*s", PW_FMT(context->postfix_why));
		return;
	}
	if ((session = connect_to(report, context, false)) == NULL ||
	    (rows = query(report, session,
	                  "SELECT name FROM mail.snapshot_domains ORDER BY target IS NOT "
	                  "NULL, name")) == NULL)
		return;
	if (pw_db_rows(rows) == 0) {
		check_skip(report, "there is no domain yet");
		return;
	}
	for (size_t i = 0; i < pw_db_rows(rows); i++)
		pw_buf_printf(&domains, "%.*s\n", PW_FMT(pw_db_value(rows, i, 0)));
	judge_destinations(report, &context->postfix, pw_buf_str(&domains));
	tables = postconf_value(&context->postfix, NULL, "virtual_mailbox_domains");
	while (postconf_next_item(&tables, &table))
		if (pw_str_contains(table, PW_STR("pgsql:")) ||
		    pw_str_starts(table, PW_STR("socketmap:")))
			try_table(report, context, table, pw_db_value(rows, 0, 0).at);
}

/* ---- clock ---- */

void check_database_clock(struct check_report *report,
                          const struct check_context *context)
{
	PW_AUTO(pw_db_session_close)
	struct pw_db_session *session = connect_to(report, context, false);
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	int64_t before_ms;

	if (session == NULL)
		return;
	before_ms = pw_clock_wall_ms();
	rows = query(report, session,
	             "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
	if (rows != NULL)
		judge_clocks(report, pw_db_int(rows, 0, 0, 0),
		             (before_ms + pw_clock_wall_ms()) / 2);
}
