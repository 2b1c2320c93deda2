#include "tools/setup/dovecot.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/child.h"
#include "io/file.h"
#include "tools/postfix.h"
#include "tools/setup/file.h"
#include "tools/setup/postfix.h"
#include "tools/setup/template.h"
#include "tools/shipped.h"

#define CONF "/etc/dovecot/conf.d/"
#define SIEVE "/etc/dovecot/sieve/"
#define PROTOCOLS "/usr/share/dovecot/protocols.d/"
#define TEMPLATES "/usr/share/postward/dovecot"
#define SIEVE_TEMPLATES "/usr/share/postward/sieve"
#define SOURCE_TEMPLATES "/../../dovecot-plugins/conf" /* from build/bin */
#define SOURCE_SIEVE "/../../dovecot-plugins/sieve"
#define MAIL_USER "vmail"
#define TIMEOUT_MS 30000

/* clang-format off */
static const struct protocol {
	const char *file, *package;
	bool is_needed;
} protocols[] = {
	{ "imapd.protocol",       "dovecot-imapd",        true  },
	{ "lmtpd.protocol",       "dovecot-lmtpd",        true  },
	{ "pop3d.protocol",       "dovecot-pop3d",        false },
	{ "managesieved.protocol", "dovecot-managesieved", false },
};

/* In the order in which they run. */
#define SCRIPT(name)                                                                      \
	{                                                                                 \
		name ".sieve", SIEVE name ".sieve", SIEVE name ".svbin",                  \
		{                                                                         \
			"sievec", SIEVE name ".sieve", NULL                               \
		}                                                                         \
	}
static const struct script {
	const char *name, *path, *binary;
	const char *compile[3];
} scripts[] = { SCRIPT("retry"), SCRIPT("junk") };

/* What an administrator's own files may still say in the words of 2.3. */
static const struct hint {
	const char *complaint, *hint;
} hints[] = {
	{ "dovecot_config_version",  "dovecot.conf is of 2.3: take the package's new one (apt install --reinstall -o Dpkg::Options::=--force-confnew dovecot-core)" },
	{ "mail_location",           "2.4 says mail_driver = maildir and mail_path = ~/Maildir; postward's drop-in has both: drop the line" },
	{ "disable_plaintext_auth",  "2.4 says auth_allow_cleartext = no: drop the line" },
	{ "ssl_cert",                "2.4 says ssl_server_cert_file, without <: drop the line" },
	{ "ssl_key",                 "2.4 says ssl_server_key_file, without <: drop the line" },
	{ "ssl_dh",                  "2.4 says ssl_server_dh_file, without <" },
	{ "plugin",                  "2.4 has no plugin { }: what was in it are settings of their own" },
	{ "auth_default_realm",      "2.4 says auth_default_domain" },
	{ "passdb",                  "2.4 wants a name: passdb NAME { driver = ... }" },
	{ "userdb",                  "2.4 wants a name: userdb NAME { driver = ... }" },
	{ "mail_plugins",            "2.4 says mail_plugins { NAME = yes }" },
	{ "postward",                "the package dovecot-postward is missing, or of another Dovecot" },
};
/* clang-format on */

static enum pw_status run(const char *const *argv, struct pw_buf *out, struct pw_buf *err,
                          int *code_out)
{
	return pw_child_run(argv, (struct pw_str){ 0 }, out, err, TIMEOUT_MS, code_out);
}

static const char *read_dialect(void)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	int code = 0;

	if (run((const char *const[]){ "dovecot", "--version", NULL }, &out, NULL,
	        &code) != PW_OK ||
	    code != 0)
		return NULL;
	return pw_str_starts(pw_buf_str(&out), PW_STR("2.3.")) ? "2.3" : "2.4";
}

static bool is_there(const char *folder, const char *name)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s%s", folder, name);
	return access(path, F_OK) == 0;
}

static void note_protocols(struct setup_plan *plan, struct pw_buf *needed)
{
	PW_AUTO(pw_buf_done) struct pw_buf others = { 0 };

	for (size_t i = 0; i < PW_LEN(protocols); i++)
		if (!is_there(PROTOCOLS, protocols[i].file))
			pw_buf_printf(protocols[i].is_needed ? needed : &others, " %s",
			              protocols[i].package);
	if (access("/usr/bin/sievec", F_OK) != 0)
		pw_buf_puts(needed, PW_STR(" dovecot-sieve"));
	if (others.len > 0)
		setup_note(plan, "not installed, and not needed: apt install%s",
		           pw_buf_text(&others));
}

enum pw_status setup_dovecot_read(struct setup_dovecot *now, struct setup_plan *plan,
                                  struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf needed = { 0 }, spool = { 0 };
	enum pw_status r;

	now->dialect = read_dialect();
	note_protocols(plan, &needed);
	if (getpwnam(MAIL_USER) == NULL)
		pw_buf_puts(&needed, PW_STR(" dovecot-postward"));
	if (now->dialect == NULL || needed.len > 0) {
		pw_buf_printf(why, "Dovecot is not complete: apt install%s%s",
		              now->dialect == NULL ? " dovecot-core" : "",
		              pw_buf_text(&needed));
		return PW_ERR_CONFIG;
	}
	/* Postfix says nothing while it has no main.cf */
	if (access(SETUP_MAIN_CF, F_OK) != 0)
		pw_buf_puts(&spool, PW_STR("/var/spool/postfix"));
	else if ((r = tool_postfix_value(&spool, "queue_directory")) != PW_OK)
		return r;
	now->spool = setup_text_of(plan, &spool);
	return PW_OK;
}

static const char *own_folder(struct setup_plan *plan)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };

	shipped_own_folder(&path);
	return setup_text_of(plan, &path);
}

/* $PW_DOVECOT_DIR and the source have a folder per dialect, a package has its own alone.
 */
static const char *template_text(struct setup_plan *plan, const char *dialect,
                                 const char *name, struct pw_buf *why)
{
	const char *wanted = getenv("PW_DOVECOT_DIR"), *own = own_folder(plan);
	const char *const folders[] = {
		setup_text(plan, "%s/%s", wanted != NULL ? wanted : TEMPLATES, dialect),
		wanted != NULL ? wanted : TEMPLATES,
		wanted != NULL ? setup_text(plan, "%s/../sieve", wanted)
			       : SIEVE_TEMPLATES,
		setup_text(plan, "%s%s/%s", own, SOURCE_TEMPLATES, dialect),
		setup_text(plan, "%s%s", own, SOURCE_SIEVE),
	};
	size_t count = wanted != NULL ? 3 : PW_LEN(folders);

	for (size_t i = 0; i < count; i++) {
		const char *text = setup_file_text(
			plan, setup_text(plan, "%s/%s", folders[i], name));

		if (text != NULL)
			return text;
	}
	pw_buf_printf(why, "%s/%s is missing: apt install dovecot-postward", folders[1],
	              name);
	return NULL;
}

static enum pw_status plan_drop_in(struct setup_plan *plan, const char *dialect,
                                   const char *name, const struct setup_name *names,
                                   size_t count, struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	const char *template = template_text(plan, dialect, name, why);
	struct setup_step step = { .owner = "root", .group = "root", .mode = 0644 };

	if (template == NULL)
		return PW_ERR_NOTFOUND;
	setup_expand(&text, pw_str_from(template), names, count);
	step.name = setup_text(plan, CONF "%s", name);
	step.value = setup_text_of(plan, &text);
	setup_plan_file(plan, &step);
	return PW_OK;
}

static enum pw_status plan_script(struct setup_plan *plan, const char *dialect,
                                  const struct script *script, struct pw_buf *why)
{
	struct setup_step step = { .owner = "root", .group = "root", .mode = 0644 };

	step.name = script->path;
	step.value = template_text(plan, dialect, script->name, why);
	if (step.value == NULL)
		return PW_ERR_NOTFOUND;
	setup_plan_file(plan, &step);
	/* what another release has compiled may not be read */
	if (setup_plan_has_file(plan, CONF) || setup_plan_has_file(plan, script->path) ||
	    access(script->binary, F_OK) != 0)
		setup_plan_add(plan,
		               &(struct setup_step){ .kind = SETUP_RUN,
		                                     .name = setup_text(plan, "sievec %s",
		                                                        script->path),
		                                     .value = script->binary,
		                                     .argv = script->compile });
	return PW_OK;
}

static enum pw_status plan_sieve(struct setup_plan *plan, const char *dialect,
                                 struct pw_buf *why)
{
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < PW_LEN(scripts) && r == PW_OK; i++)
		r = plan_script(plan, dialect, &scripts[i], why);
	return r;
}

enum pw_status setup_plan_dovecot(struct setup_plan *plan, const struct setup_wish *wish,
                                  const struct setup_dovecot *now, struct pw_buf *why)
{
	const struct passwd *mail_user = getpwnam(MAIL_USER);
	const struct setup_name names[] = {
		{ "listen", wish->listen != NULL
		                    ? setup_text(plan, "%s, 127.0.0.1", wish->listen)
		                    : "*, ::" },
		{ "certificate", wish->certificate },
		{ "key", wish->key },
		{ "spool", now->spool },
		{ "private", wish->listen },
		{ "peer", wish->peer },
		{ "mail_uid",
		  setup_text(plan, "%u", mail_user != NULL ? mail_user->pw_uid : 500) },
	};
	enum pw_status r;

	if ((r = plan_drop_in(plan, now->dialect, "05-postward-auth.conf", names,
	                      PW_LEN(names), why)) != PW_OK ||
	    (r = plan_drop_in(plan, now->dialect, "95-postward.conf", names,
	                      PW_LEN(names), why)) != PW_OK)
		return r;
	if (wish->role == SETUP_INNER &&
	    (r = plan_drop_in(plan, now->dialect, "96-postward-edge.conf", names,
	                      PW_LEN(names), why)) != PW_OK)
		return r;
	return plan_sieve(plan, now->dialect, why);
}

bool setup_dovecot_check(void)
{
	PW_AUTO(pw_buf_done) struct pw_buf err = { 0 };
	int code = 0;
	enum pw_status r =
		run((const char *const[]){ "doveconf", "-n", NULL }, NULL, &err, &code);

	if (r == PW_OK && code == 0)
		return true;
	(void)fprintf(stderr, "postwardctl: Dovecot does not take its settings:\n%s",
	              pw_buf_text(&err));
	for (size_t i = 0; i < PW_LEN(hints); i++)
		if (pw_str_contains(pw_buf_str(&err), pw_str_from(hints[i].complaint)))
			(void)fprintf(stderr, "hint: %s: %s\n", hints[i].complaint,
			              hints[i].hint);
	return false;
}
