#include "tools/setup/build.h"

#include <pwd.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/settings_file.h"
#include "tools/setup/database.h"
#include "tools/setup/dovecot.h"
#include "tools/setup/file.h"
#include "tools/setup/list.h"
#include "tools/setup/postfix.h"
#include "tools/setup/private.h"
#include "tools/setup/service.h"
#include "tools/setup/tls.h"

#define MAIL_FOLDER "/srv/mail"

static int give_up(enum pw_status r, struct pw_buf *why, int code)
{
	if (why->len == 0)
		pw_buf_puts(why, pw_str_from(pw_status_text(r)));
	return code;
}

static int read_postfix(struct setup_postfix *now, const struct setup_wish *wish,
                        struct pw_buf *why)
{
	enum pw_status r = setup_postfix_read(now);

	if (r == PW_ERR_NOTFOUND) {
		pw_buf_puts(why, PW_STR("there is no Postfix here: apt install postfix"));
		if (wish->role != SETUP_EDGE)
			pw_buf_puts(why, PW_STR(" postfix-pgsql"));
	}
	if (r != PW_OK)
		return give_up(r, why, EX_UNAVAILABLE);
	if (wish->role != SETUP_EDGE &&
	    !setup_list_names(pw_buf_str(&now->types), PW_STR("pgsql"))) {
		pw_buf_puts(why, PW_STR("Postfix cannot read PostgreSQL: apt install "
		                        "postfix-pgsql"));
		return EX_UNAVAILABLE;
	}
	return EXIT_FINE;
}

/* What Postfix puts behind a bare name; Debian keeps it in a file. */
static const char *read_origin(struct setup_plan *plan, const struct setup_postfix *now)
{
	struct pw_str origin = setup_postfix_value(&now->main, "myorigin");
	const char *name = setup_text(plan, "%.*s", PW_FMT(origin));
	const char *text = name[0] == '/' ? setup_file_text(plan, name) : name;
	struct pw_str line = pw_str_from(text);

	line = pw_str_trim(pw_str_cut(&line, '\n'));
	return setup_text(plan, "%.*s", PW_FMT(line));
}

static void serve(struct setup_plan *plan, const char *name, const char *what)
{
	setup_plan_add(plan, &(struct setup_step){
				     .kind = SETUP_SERVE, .name = name, .value = what });
}

/* Programs that read the database's place at their start, and its content where there was
 * none. */
static void plan_programs(struct setup_plan *plan)
{
	static const char *const programs[] = { "postward-score", "postward-dkim",
		                                "postward-policyd" };

	if (!setup_plan_has(plan, SETUP_CREATE) && !setup_plan_has(plan, SETUP_MIGRATE) &&
	    !setup_plan_has_file(plan, "/etc/postward/postward.conf") &&
	    !setup_plan_resumes(plan, "/"))
		return;
	for (size_t i = 0; i < PW_LEN(programs); i++)
		serve(plan, programs[i], "restart");
}

static void plan_mail_folder(struct setup_plan *plan)
{
	static const char *const make[] = { "install", "-d", "-o",   "vmail",     "-g",
		                            "vmail",   "-m", "0750", MAIL_FOLDER, NULL };

	if (access(MAIL_FOLDER, F_OK) != 0)
		setup_plan_add(plan,
		               &(struct setup_step){ .kind = SETUP_RUN,
		                                     .name = "install -d -o vmail -g "
		                                             "vmail -m 0750 " MAIL_FOLDER,
		                                     .argv = make });
}

/* Told to reload, a Dovecot of 2.4 reads its files with the modules that were there when
 * it started: of settings of ours that came later it knows nothing, and stays with its
 * old ones. Certificates are in both: whoever read them has to read them again. */
static void plan_dovecot_service(struct setup_plan *plan)
{
	if (setup_plan_has_file(plan, "/etc/dovecot/"))
		serve(plan, "dovecot", "restart");
	else if (setup_plan_has_file(plan, "/etc/postward/tls/"))
		serve(plan, "dovecot", "reload");
}

static bool changes_interfaces(const struct setup_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->at[i].kind == SETUP_MAIN &&
		    strcmp(plan->at[i].name, "inet_interfaces") == 0)
			return true;
	return setup_plan_resumes(plan, SETUP_MAIN_CF);
}

static void plan_postfix(struct setup_plan *plan, const struct setup_wish *wish,
                         const struct setup_postfix *now)
{
	static const char *const check[] = { "postfix", "check", NULL };

	setup_plan_main(plan, wish, now);
	setup_plan_master(plan, wish, now);
	if (!setup_plan_has(plan, SETUP_MAIN) && !setup_plan_has(plan, SETUP_SERVICE) &&
	    !setup_plan_has(plan, SETUP_OPTION) &&
	    !setup_plan_has(plan, SETUP_SERVICE_GONE) &&
	    !setup_plan_has_file(plan, "/etc/postfix/") &&
	    !setup_plan_has_file(plan, SETUP_MAPS) &&
	    !setup_plan_has_file(plan, "/etc/postward/tls/"))
		return;
	setup_plan_add(plan, &(struct setup_step){ .kind = SETUP_RUN,
	                                           .name = "postfix check",
	                                           .argv = check });
	serve(plan, "postfix", changes_interfaces(plan) ? "restart" : "reload");
}

/* Steps that wait for a program's work come when all else is done. */
static void move_to_end(struct setup_plan *plan, enum setup_kind kind)
{
	size_t kept = 0, moved = 0;
	struct setup_step late[SETUP_STEPS_MAX];

	for (size_t i = 0; i < plan->count; i++)
		if (plan->at[i].kind == kind)
			late[moved++] = plan->at[i];
		else
			plan->at[kept++] = plan->at[i];
	for (size_t i = 0; i < moved; i++)
		plan->at[kept++] = late[i];
}

/* Before Postfix knows of a domain its mailboxes have to be there, and who delivers. */
static int plan_local(struct setup_plan *plan, struct setup_wish *wish,
                      const struct setup_postfix *now, int64_t now_ms, struct pw_buf *why)
{
	struct setup_dovecot dovecot = { 0 };
	enum pw_status r;

	if ((r = setup_dovecot_read(&dovecot, plan, why)) != PW_OK)
		return give_up(r, why, EX_UNAVAILABLE);
	if ((r = setup_plan_certificate(plan, wish, now, now_ms, why)) != PW_OK)
		return give_up(r, why, EX_DATAERR);
	setup_plan_private(plan, wish);
	if ((r = setup_plan_database(plan, wish, read_origin(plan, now), why)) != PW_OK)
		return give_up(r, why, EX_UNAVAILABLE);
	if ((r = setup_plan_connections(plan, wish, why)) != PW_OK)
		return give_up(r, why, EX_DATAERR);
	plan_programs(plan);
	plan_mail_folder(plan);
	if ((r = setup_plan_dovecot(plan, wish, &dovecot, why)) != PW_OK)
		return give_up(r, why, EX_UNAVAILABLE);
	plan_dovecot_service(plan);
	plan_postfix(plan, wish, now);
	move_to_end(plan, SETUP_KEYS);
	return EXIT_FINE;
}

static void plan_origin_service(struct setup_plan *plan)
{
	static const char *const units[] = { "postward-origin.socket",
		                             "postward-origin.service" };

	for (size_t i = 0; setup_has_systemd() && i < PW_LEN(units); i++)
		if (!setup_service_runs(units[i]))
			serve(plan, units[i], "enable");
	if (setup_plan_has_file(plan, "/etc/postward/postward-origin.conf") ||
	    setup_plan_has_file(plan, "/etc/postward/origin.keys"))
		serve(plan, "postward-origin.service", "restart");
}

static int plan_edge(struct setup_plan *plan, struct setup_wish *wish,
                     const struct setup_postfix *now, int64_t now_ms, struct pw_buf *why)
{
	enum pw_status r;

	if (getpwnam("postward_origin") == NULL) {
		pw_buf_puts(why, PW_STR("postward-origin is missing: apt install "
		                        "postward-origin"));
		return EX_UNAVAILABLE;
	}
	if ((r = setup_plan_certificate(plan, wish, now, now_ms, why)) != PW_OK)
		return give_up(r, why, EX_DATAERR);
	setup_plan_private(plan, wish);
	setup_plan_origin(plan, wish, now_ms);
	plan_origin_service(plan);
	plan_postfix(plan, wish, now);
	return EXIT_FINE;
}

/* A host that changes its role would keep lines of the old one. */
static bool has_other_role(const struct setup_wish *wish, struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf role = { 0 };

	settings_file_value_of(&role, SETUP_CONF, "role", wish->role_name);
	if (strcmp(pw_buf_text(&role), wish->role_name) == 0)
		return false;
	pw_buf_printf(why, "this host was set up as %s: postwardctl setup --undo first",
	              pw_buf_text(&role));
	return true;
}

int setup_build(struct setup_plan *plan, struct setup_wish *wish, int64_t now_ms,
                struct pw_buf *why)
{
	PW_AUTO(setup_postfix_done) struct setup_postfix now = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf answers = { 0 };
	struct setup_step conf = {
		.name = SETUP_CONF, .owner = "root", .group = "postward", .mode = 0640
	};
	int code = read_postfix(&now, wish, why);

	if (code != EXIT_FINE)
		return code;
	if (has_other_role(wish, why))
		return EX_DATAERR;
	setup_wish_print(&answers, wish);
	conf.value = setup_text_of(plan, &answers);
	setup_plan_file(plan, &conf);
	code = wish->role == SETUP_EDGE ? plan_edge(plan, wish, &now, now_ms, why)
	                                : plan_local(plan, wish, &now, now_ms, why);
	if (code == EXIT_FINE && plan->status != PW_OK)
		return give_up(plan->status, why, EX_OSERR);
	return code;
}

int setup_build_dovecot(struct setup_plan *plan, struct setup_wish *wish, int64_t now_ms,
                        struct pw_buf *why)
{
	PW_AUTO(setup_postfix_done) struct setup_postfix now = { 0 };
	struct setup_dovecot dovecot = { 0 };
	enum pw_status r;
	int code;

	if (wish->role == SETUP_EDGE)
		return EXIT_FINE;
	if ((code = read_postfix(&now, wish, why)) != EXIT_FINE)
		return code;
	if ((r = setup_dovecot_read(&dovecot, plan, why)) != PW_OK)
		return give_up(r, why, EX_UNAVAILABLE);
	/* an upgrade is no time to choose another one because it has expired */
	if (!setup_certificate_in_use(plan, wish, &now) &&
	    (r = setup_plan_certificate(plan, wish, &now, now_ms, why)) != PW_OK)
		return give_up(r, why, EX_DATAERR);
	if ((r = setup_plan_dovecot(plan, wish, &dovecot, why)) != PW_OK)
		return give_up(r, why, EX_UNAVAILABLE);
	return plan->status == PW_OK ? EXIT_FINE : give_up(plan->status, why, EX_OSERR);
}
