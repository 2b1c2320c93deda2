/* The files that lead Postfix, Dovecot and our programs to the database. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "db/conninfo.h"
#include "tools/settings_file.h"
#include "tools/setup/database.h"
#include "tools/setup/file.h"
#include "tools/setup/postfix.h"

#define SHARED_FILE "/etc/postward/postward.conf"
#define DOVECOT_FILE "/etc/dovecot/postward-dovecot.conf"
#define SOCKETS "/run/postgresql"
#define PASSWORD_FILE SETUP_MAPS "/pgpass" /* the user postfix's, mode 0600 */
#define ROLE "postfix"

/* What a pgsql table and a URI need of the connection string. */
struct parts {
	struct pw_buf host, hostaddr, port, dbname, user;
};

/* clang-format off */
/* What is in the connection string stands in files that everybody reads. */
static const struct secret {
	const char *keyword, *cure;
} secrets[] = {
	{ "password",    "put it into /root/.pgpass" },
	{ "sslpassword", "take a key that needs none, readable for its user alone" },
};
/* clang-format on */

static void parts_done(struct parts *parts)
{
	pw_buf_done(&parts->host);
	pw_buf_done(&parts->hostaddr);
	pw_buf_done(&parts->port);
	pw_buf_done(&parts->dbname);
	pw_buf_done(&parts->user);
}

static enum pw_status refuse_secrets(const char *conninfo, struct pw_buf *why)
{
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < PW_LEN(secrets) && r == PW_OK; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

		r = pw_db_conninfo_value(&value, conninfo, secrets[i].keyword, why);
		if (r != PW_OK || value.len == 0)
			continue;
		pw_wipe(value.at, value.len);
		pw_buf_printf(why, "--database: no %s in it, everybody would read it: %s",
		              secrets[i].keyword, secrets[i].cure);
		r = PW_ERR_CONFIG;
	}
	return r;
}

static enum pw_status read_parts(struct parts *out, const char *conninfo,
                                 struct pw_buf *why)
{
	const struct {
		const char *keyword;
		struct pw_buf *value;
	} all[] = { { "host", &out->host },
		    { "hostaddr", &out->hostaddr },
		    { "port", &out->port },
		    { "dbname", &out->dbname },
		    { "user", &out->user } };
	enum pw_status r = refuse_secrets(conninfo, why);

	for (size_t i = 0; i < PW_LEN(all) && r == PW_OK; i++)
		r = pw_db_conninfo_value(all[i].value, conninfo, all[i].keyword, why);
	if (r == PW_OK && out->dbname.len == 0) {
		pw_buf_puts(why,
		            PW_STR("--database: name the database (dbname=postward)"));
		r = PW_ERR_CONFIG;
	}
	return r;
}

static bool is_socket(const struct parts *parts)
{
	return parts->hostaddr.len == 0 &&
	       (parts->host.len == 0 || parts->host.at[0] == '/');
}

static void put_escaped(struct pw_buf *out, struct pw_str text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";

	for (size_t i = 0; i < text.len; i++)
		if (strchr(plain, text.at[i]) != NULL && text.at[i] != '\0')
			pw_buf_putc(out, text.at[i]);
		else
			pw_buf_printf(out, "%%%02X", (unsigned char)text.at[i]);
}

/* Next part of a list, its last one again where it has ended. */
static void next_of(struct pw_str *rest, struct pw_str *part)
{
	if (rest->len > 0)
		*part = pw_str_cut(rest, ',');
}

static void put_parameter(struct pw_buf *out, const char *name, struct pw_str value)
{
	if (value.len == 0)
		return;
	pw_buf_printf(out, "&%s=", name);
	put_escaped(out, value);
}

static enum pw_status put_tls(struct pw_buf *out, const char *conninfo)
{
	static const char *const keywords[] = { "sslmode", "sslrootcert", "sslcert",
		                                "sslkey" };
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < PW_LEN(keywords) && r == PW_OK; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

		r = pw_db_conninfo_value(&value, conninfo, keywords[i], NULL);
		put_parameter(out, keywords[i], pw_buf_str(&value));
	}
	put_parameter(out, "passfile", PW_STR(PASSWORD_FILE));
	return r;
}

/* Postfix takes one URI a server, with blanks between; it splits at commas too. A
 * password in it would get into the log. */
static enum pw_status put_uris(struct pw_buf *out, const struct parts *parts,
                               const char *conninfo)
{
	struct pw_str hosts = pw_buf_str(&parts->host), ports = pw_buf_str(&parts->port);
	struct pw_str addresses = pw_buf_str(&parts->hostaddr);
	struct pw_str host = { NULL, 0 }, port = { NULL, 0 }, address = { NULL, 0 };
	const char *gap = "";
	enum pw_status r = PW_OK;

	do {
		next_of(&hosts, &host);
		next_of(&ports, &port);
		next_of(&addresses, &address);
		pw_buf_printf(out, "%spostgresql://" ROLE "@/", gap);
		put_escaped(out, pw_buf_str(&parts->dbname));
		pw_buf_puts(out, PW_STR("?connect_timeout=5"));
		put_parameter(out, "host", host);
		put_parameter(out, "hostaddr", address);
		put_parameter(out, "port", port);
		if (!is_socket(parts))
			r = put_tls(out, conninfo);
		gap = " ";
	} while (r == PW_OK && (hosts.len > 0 || addresses.len > 0));
	return r;
}

/* Postfix before 3.9 knows no retry_interval and leaves a server alone for a minute that
 * it did not reach once. */
static enum pw_status table_head(struct pw_buf *out, const struct parts *parts,
                                 const char *conninfo)
{
	enum pw_status r = PW_OK;

	pw_buf_puts(out,
	            PW_STR("# Made by postwardctl setup; see pgsql_table(5).\nhosts = "));
	if (!is_socket(parts) || parts->port.len > 0)
		r = put_uris(out, parts, conninfo);
	else
		pw_buf_printf(out, "unix:%s",
		              parts->host.len > 0 ? pw_buf_text(&parts->host) : SOCKETS);
	pw_buf_printf(out, "\nretry_interval = 5\nuser = " ROLE "\ndbname = %s\n",
	              pw_buf_text(&parts->dbname));
	return r == PW_OK ? pw_buf_status(out) : r;
}

/* Roles of a server elsewhere have passwords, which the administrator has put into these
 * files: what is there stays. */
static bool is_settled(const struct parts *parts, const char *path)
{
	return !is_socket(parts) && access(path, F_OK) == 0;
}

static enum pw_status plan_tables(struct setup_plan *plan, const struct parts *parts,
                                  const char *conninfo)
{
	static const char *const names[] = { "domain", "mailbox", "alias" };
	PW_AUTO(pw_buf_done) struct pw_buf head = { 0 };
	enum pw_status r = table_head(&head, parts, conninfo);

	if (r != PW_OK)
		return r;
	for (size_t i = 0; i < PW_LEN(names); i++) {
		struct setup_step step = { .owner = "root",
			                   .group = "postfix",
			                   .mode = 0640 };

		step.name = setup_text(plan, SETUP_MAPS "/%s.cf", names[i]);
		step.value = setup_text(
			plan, "%squery = SELECT * FROM mail.postfix_%s('%%s')\n",
			pw_buf_text(&head), names[i]);
		if (!is_settled(parts, step.name))
			setup_plan_file(plan, &step);
	}
	return PW_OK;
}

/* The auth process opens its connection as root or as the user dovecot: it names the
 * role, the last one counts. */
static void plan_dovecot(struct setup_plan *plan, const struct parts *parts,
                         const char *conninfo)
{
	struct setup_step step = {
		.name = DOVECOT_FILE, .owner = "root", .group = "root", .mode = 0600
	};
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	const char *now = setup_file_text(plan, DOVECOT_FILE), *value;

	if (is_settled(parts, DOVECOT_FILE))
		return;
	if (strstr(conninfo, "://") != NULL)
		value = setup_text(plan, "%s%suser=dovecot", conninfo,
		                   strchr(conninfo, '?') != NULL ? "&" : "?");
	else
		value = setup_text(plan, "%s%s user=dovecot",
		                   parts->host.len == 0 && is_socket(parts)
		                           ? "host=" SOCKETS " "
		                           : "",
		                   conninfo);
	setup_conf_set(&text, pw_str_from(now), "database", value);
	step.value = setup_text_of(plan, &text);
	setup_plan_file(plan, &step);
}

static void plan_shared(struct setup_plan *plan, const char *conninfo)
{
	struct setup_step step = {
		.name = SHARED_FILE, .owner = "root", .group = "postward", .mode = 0640
	};
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, before = { 0 };
	const char *now = setup_file_text(plan, SHARED_FILE);

	/* no file, no line: the programs' default is the same */
	settings_file_value_of(&before, SHARED_FILE, "database", SETUP_DATABASE);
	if (strcmp(pw_buf_text(&before), conninfo) == 0)
		return;
	setup_conf_set(&text, pw_str_from(now), "database", conninfo);
	step.value = setup_text_of(plan, &text);
	setup_plan_file(plan, &step);
}

enum pw_status setup_plan_connections(struct setup_plan *plan,
                                      const struct setup_wish *wish, struct pw_buf *why)
{
	PW_AUTO(parts_done) struct parts parts = { 0 };
	enum pw_status r = read_parts(&parts, wish->database, why);

	if (r == PW_OK)
		r = plan_tables(plan, &parts, wish->database);
	if (r != PW_OK)
		return r;
	plan_shared(plan, wish->database);
	plan_dovecot(plan, &parts, wish->database);
	if (!is_socket(&parts) && setup_plan_has_file(plan, SETUP_MAPS))
		setup_note(plan,
		           "the database is on another host: %sDovecot and each program "
		           "need the password of their role, see remote-postgresql.md",
		           setup_wish_asks_sql(wish) ? "Postfix (" PASSWORD_FILE "), "
		                                     : "");
	return PW_OK;
}
