#include "tools/setup/database.h"

#include <stdio.h>
#include <string.h>

#include "db/conninfo.h"
#include "tools/addresses.h"
#include "tools/database.h"
#include "tools/migrations.h"
#include "tools/setup/file.h"

#define MX_SETTING "mx_hosts"

/* The database and the plan while it is made; session is NULL while there is none. */
struct work {
	struct setup_plan *plan;
	const struct setup_wish *wish;
	struct pw_db_session *session;
	bool has_schema; /* perhaps an older one; what setup looks at is in all */
};

static enum pw_status connect_or_plan(struct work *w, struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf words = { 0 }, name = { 0 };
	enum pw_status r;

	if ((r = pw_db_conninfo_value(&name, w->wish->database, "dbname", why)) != PW_OK)
		return r;
	if (tool_database_connect(&w->session, w->wish->database, &words) == PW_OK)
		return PW_OK;
	if (name.len > 0 &&
	    pw_str_contains(pw_buf_str(&words), PW_STR("does not exist")) &&
	    pw_str_contains(pw_buf_str(&words), pw_buf_str(&name))) {
		setup_plan_add(w->plan, &(struct setup_step){
						.kind = SETUP_CREATE,
						.name = setup_text_of(w->plan, &name),
						.value = w->wish->database });
		return PW_OK;
	}
	pw_buf_printf(why,
	              "no database: %s\nIs PostgreSQL installed and running? apt install "
	              "postgresql; one on another host: --database CONNINFO",
	              pw_buf_text(&words));
	return PW_ERR_AWAY;
}

/* Migrations that are to be carried out. */
static enum pw_status plan_schema(struct work *w, struct pw_buf *why)
{
	PW_AUTO(migrations_done) struct migrations all = { 0 };
	size_t pending = 0, strange = 0;
	enum pw_status r = migrations_read(&all, NULL, why);

	if (r == PW_OK && w->session != NULL)
		r = migrations_compare(&all, w->session, why);
	if (r != PW_OK)
		return r;
	for (size_t i = 0; i < all.count; i++) {
		pending += all.at[i].state == MIGRATION_PENDING;
		strange += all.at[i].state == MIGRATION_CHANGED;
	}
	if (strange > 0) {
		pw_buf_puts(why, PW_STR("schema mail is not what its migrations made: "
		                        "postwardctl schema status"));
		return PW_ERR_CONFIG;
	}
	w->has_schema = pending < all.count;
	if (pending > 0)
		setup_plan_add(
			w->plan,
			&(struct setup_step){
				.kind = SETUP_MIGRATE,
				.name = setup_text(w->plan,
		                                   "bring schema mail up to date, %zu "
		                                   "migrations",
		                                   pending),
				.value = w->wish->database });
	return PW_OK;
}

/* Does a query with one or two arguments have a row? Without a schema nothing is there.
 */
static bool has_row(const struct work *w, const char *sql, const char *first,
                    const char *second)
{
	const char *const values[] = { first, second };
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;

	if (!w->has_schema)
		return false;
	rows = tool_query(w->session, sql, second != NULL ? 2 : 1, values);
	return rows != NULL && pw_db_rows(rows) > 0;
}

static void plan_sql(const struct work *w, const char *words, const char *sql,
                     const char *value, const char *other)
{
	setup_plan_add(w->plan, &(struct setup_step){ .kind = SETUP_SQL,
	                                              .name = words,
	                                              .sql = sql,
	                                              .value = value,
	                                              .other = other });
}

/* What has to be answered at every domain, and what programs of this host write to. */
static void plan_alias(const struct work *w, const char *local)
{
	const char *source = setup_text(w->plan, "%s@%s", local, w->wish->domain);

	if (strcmp(source, w->wish->admin) == 0 ||
	    has_row(w,
	            "SELECT FROM mail.virtual_aliases WHERE source = $1 "
	            "UNION ALL SELECT FROM mail.virtual_users WHERE email = $1",
	            source, NULL))
		return;
	plan_sql(w, setup_text(w->plan, "alias %s to %s", source, w->wish->admin),
	         "SELECT mail.add_alias($1, $2)", source, w->wish->admin);
}

/* For the records A, AAAA and PTR; behind NAT nobody here knows them. */
static void plan_addresses(const struct work *w)
{
	struct pw_ip found[ADDRESSES_MAX];
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	size_t count = addresses_public(found, PW_LEN(found));

	if (count == 0 ||
	    has_row(w, "SELECT FROM mail.settings WHERE name = $1 AND value <> ''",
	            "mx_addresses", NULL))
		return;
	for (size_t i = 0; i < count; i++) {
		pw_buf_printf(&text, "%s%s=", i > 0 ? " " : "", w->wish->hostname);
		pw_ip_put(&text, found[i]);
	}
	plan_sql(w, setup_text(w->plan, "setting mx_addresses: %s", pw_buf_text(&text)),
	         "UPDATE mail.settings SET value = $1 WHERE name = 'mx_addresses'",
	         setup_text_of(w->plan, &text), NULL);
}

static void plan_mx(const struct work *w)
{
	if (w->wish->role == SETUP_SINGLE) {
		if (!has_row(w,
		             "SELECT FROM mail.settings WHERE name = '" MX_SETTING "' "
		             "AND $1 = ANY (string_to_array(value, ' '))",
		             w->wish->hostname, NULL))
			plan_sql(w,
			         setup_text(w->plan, "setting " MX_SETTING ": %s",
			                    w->wish->hostname),
			         "UPDATE mail.settings SET value = trim(value || ' ' || "
			         "$1) "
			         "WHERE name = '" MX_SETTING "'",
			         w->wish->hostname, NULL);
		plan_addresses(w);
	} else if (!has_row(w,
	                    "SELECT FROM mail.settings WHERE name = $1 AND value <> ''",
	                    MX_SETTING, NULL)) {
		setup_note(
			w->plan,
			"the public name of the edge host is not known to SQL, so its MX "
			"record is not shown: UPDATE mail.settings SET value = "
			"'mx.%s' WHERE name = '" MX_SETTING "';",
			w->wish->domain);
	}
}

static void plan_keys(const struct work *w)
{
	const char *domain = w->wish->domain;

	if (has_row(w,
	            "SELECT FROM mail.dkim_keys WHERE domain = $1 AND state NOT IN "
	            "('retiring', 'revoked')",
	            domain, NULL))
		return;
	if (has_row(w,
	            "SELECT FROM mail.dkim_requests WHERE domain = $1 "
	            "AND state IN ('pending', 'taken')",
	            domain, NULL))
		setup_note(
			w->plan,
			"postward-dkim has not made the keys of %s yet that it was asked "
			"for: systemctl status postward-dkim",
			domain);
	else
		setup_plan_add(w->plan, &(struct setup_step){ .kind = SETUP_KEYS,
		                                              .name = domain });
}

static void plan_content(const struct work *w, const char *origin)
{
	const char *domain = w->wish->domain, *admin = w->wish->admin;

	if (!has_row(w, "SELECT FROM mail.virtual_domains WHERE name = $1", domain, NULL))
		plan_sql(w, setup_text(w->plan, "add domain %s", domain),
		         "SELECT mail.add_domain($1)", domain, NULL);
	if (!has_row(w, "SELECT FROM mail.virtual_users WHERE email = $1", admin, NULL))
		setup_plan_add(w->plan,
		               &(struct setup_step){ .kind = SETUP_USER, .name = admin });
	plan_alias(w, "postmaster");
	plan_alias(w, "abuse");
	if (strcmp(origin, domain) == 0)
		plan_alias(w, "root");
	plan_mx(w);
	plan_keys(w);
}

enum pw_status setup_plan_database(struct setup_plan *plan, const struct setup_wish *wish,
                                   const char *origin, struct pw_buf *why)
{
	struct work w = { .plan = plan, .wish = wish };
	enum pw_status r = connect_or_plan(&w, why);

	if (r == PW_OK)
		r = plan_schema(&w, why);
	if (r == PW_OK)
		plan_content(&w, origin);
	pw_db_session_close(&w.session);
	return r;
}
