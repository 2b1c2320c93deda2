/* postwardctl setup: from installed packages to a running mail host, and back. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "io/clock.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/postfix.h"
#include "tools/setup/build.h"
#include "tools/setup/dovecot.h"
#include "tools/setup/report.h"
#include "tools/setup/undo.h"

#define LOCK_FILE "/run/postward-setup.lock"

static const char usage[] =
	"usage: postwardctl setup [OPTION...]\n"
	"Makes Postfix, Dovecot and PostgreSQL of this host a mail host; asks what is "
	"not "
	"given.\n"
	"  --role ROLE          single: all on this host; or edge: the public host, and\n"
	"                       inner: the one behind a VPN that has the mailboxes\n"
	"  --domain D           whose mail it takes\n"
	"  --hostname H         full name of this host; default: Postfix's, else mail.D\n"
	"  --admin ADDRESS      first mailbox; default: postmaster@D\n"
	"  --listen-private A   serve all but port 25 on this address of a VPN alone\n"
	"  --peer A             the other host's address on the VPN (edge, inner)\n"
	"  --fallback queue|defer  edge: mail for known recipients waits in its queue "
	"while\n"
	"                       the inner host is away, or with the senders (default)\n"
	"  --postscreen yes|no  edge: postscreen in front of port 25; default: as it is\n"
	"  --tables socketmap|pgsql  Postfix looks up at postward-policyd, while the\n"
	"                       database is away too (default), or in SQL\n"
	"  --cert FILE --key FILE  certificate; default: certbot's, else the one in "
	"use,\n"
	"                       else one signed by itself\n"
	"  --database CONNINFO  PostgreSQL elsewhere; default: dbname=postward on this "
	"host\n"
	"  --yes                ask nothing\n"
	"  --dry-run            only show what would be done\n"
	"  --undo               put files back as they were before setup; --force: also\n"
	"                       those changed since\n"
	"  --regenerate         write Dovecot's drop-ins anew, after an upgrade of "
	"Dovecot\n"
	"  --json               one JSON object\n";

struct options {
	struct setup_wish wish;
	bool is_yes, is_dry, is_undo, is_forced, is_regenerate, is_json;
};

static int fail(int code, const char *text)
{
	(void)fprintf(stderr, "postwardctl setup: %s\n", text);
	return code;
}

/* Held until the program ends; two of them would write the same files. */
static bool lock(void)
{
	int fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static bool confirm(void)
{
	char answer[10] = "";

	(void)fputs("Do this? [y/N] ", stderr);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

/* Postfix may not be there yet: then nothing is guessed from it. */
static void read_myhostname(struct pw_buf *out)
{
	if (access("/etc/postfix/main.cf", F_OK) != 0 ||
	    tool_postfix_value(out, "myhostname") != PW_OK)
		pw_buf_reset(out);
}

static int complete_wish(struct options *opt, struct pw_arena *arena)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 }, name = { 0 };
	bool is_usage = false, may_ask = !opt->is_yes && !opt->is_dry &&
	                                 !opt->is_regenerate && isatty(STDIN_FILENO);
	enum pw_status r = setup_wish_remember(&opt->wish, arena, &why);

	if (r != PW_OK)
		return fail(EX_CONFIG,
		            why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
	if (!opt->is_yes && !opt->is_dry && !opt->is_regenerate && !may_ask)
		return fail(EXIT_WRONG_USE, "nobody can be asked here: give --yes");
	read_myhostname(&name);
	if (may_ask && !setup_wish_ask(&opt->wish, arena, pw_buf_text(&name)))
		return fail(EXIT_WRONG_USE, "no answer");
	setup_wish_guess(&opt->wish, arena, pw_buf_text(&name));
	r = setup_wish_check(&opt->wish, arena, &why, &is_usage);
	if (r == PW_OK)
		return EXIT_FINE;
	return fail(is_usage ? EXIT_WRONG_USE : EX_DATAERR,
	            why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
}

/* A pager that is left or a lost terminal is no reason to stop half way. */
static void go_on_alone(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
}

static int carry_out(const struct setup_plan *plan, struct setup_backup *backup,
                     const struct options *opt, struct setup_outcome *outcome)
{
	int code;

	go_on_alone();
	code = setup_apply(plan, backup, opt->wish.database, opt->is_json, outcome);
	if (code != EXIT_FINE)
		(void)fail(code, "stopped half way. Mend what is said above and run it "
		                 "again, or go back with: postwardctl setup --undo");
	return code;
}

static int run_plan(struct setup_plan *plan, struct setup_backup *backup,
                    const struct options *opt)
{
	struct setup_outcome outcome = { 0 };
	size_t changes = setup_plan_changes(plan);
	int code = EXIT_FINE;

	if (!opt->is_json && (opt->is_dry || !opt->is_yes || changes == 0))
		setup_report_plan(plan);
	if (changes == 0 && !opt->is_json)
		puts("nothing to change: all is as setup leaves it");
	if (changes > 0 && !opt->is_dry) {
		if (!opt->is_yes && !opt->is_regenerate && !confirm())
			return fail(EXIT_PROBLEMS, "nothing was changed");
		code = carry_out(plan, backup, opt, &outcome);
	}
	setup_report(plan, &opt->wish, &outcome, opt->is_dry, opt->is_json, code);
	pw_wipe(&outcome, sizeof(outcome));
	return code;
}

static int run_setup(struct options *opt, struct setup_backup *backup,
                     struct pw_arena *arena)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct setup_plan plan = { .arena = arena, .earlier = backup };
	int code = complete_wish(opt, arena);

	if (code != EXIT_FINE)
		return code;
	code = setup_build(&plan, &opt->wish, pw_clock_wall_ms(), &why);
	if (code != EXIT_FINE)
		return fail(code, pw_buf_text(&why));
	return run_plan(&plan, backup, opt);
}

/* Called by the package after an upgrade: the settings of before may not be readable for
 * the Dovecot of now, which is said, and no failure of ours. */
static int run_regenerate(struct options *opt, struct setup_backup *backup,
                          struct pw_arena *arena)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct setup_plan plan = { .arena = arena, .earlier = backup };
	struct setup_outcome outcome = { 0 };
	int code;

	if (access(SETUP_CONF, F_OK) != 0)
		return fail(EXIT_WRONG_USE, "setup has not been run here");
	if ((code = complete_wish(opt, arena)) != EXIT_FINE)
		return code;
	code = setup_build_dovecot(&plan, &opt->wish, pw_clock_wall_ms(), &why);
	if (code != EXIT_FINE)
		return fail(code, pw_buf_text(&why));
	if (opt->is_dry)
		return run_plan(&plan, backup, opt);
	if (setup_plan_changes(&plan) > 0)
		code = carry_out(&plan, backup, opt, &outcome);
	/* what stopped it may be what Dovecot complains of */
	if (opt->wish.role != SETUP_EDGE && !setup_dovecot_check())
		code = EXIT_PROBLEMS;
	setup_report(&plan, &opt->wish, &outcome, true, opt->is_json, code);
	return code;
}

static int run(struct options *opt)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(setup_backup_free) struct setup_backup *backup = NULL;
	int chosen = opt->is_undo + opt->is_regenerate;

	if (chosen > 1 || (opt->is_forced && !opt->is_undo))
		return tool_wrong_use(usage);
	if (geteuid() != 0)
		return fail(EX_NOPERM, "run it as root");
	/* others read what is written here (postfix, vmail); secrets have modes of their
	 * own */
	(void)umask(022);
	if (pw_arena_new(&arena, 0) != PW_OK)
		return EX_OSERR;
	if (!lock())
		return fail(EX_TEMPFAIL, "another setup is at work (" LOCK_FILE ")");
	if (setup_backup_open(&backup) != PW_OK)
		return fail(EX_DATAERR, SETUP_STATE "/manifest cannot be used");
	if (opt->is_undo)
		return setup_undo(backup, arena, opt->is_forced, opt->is_dry,
		                  opt->is_json);
	return opt->is_regenerate ? run_regenerate(opt, backup, arena)
	                          : run_setup(opt, backup, arena);
}

int command_setup(int argc, char **argv)
{
	struct options opt = { 0 };
	const struct tool_option options[] = {
		{ "role", .text = &opt.wish.role_name },
		{ "domain", .text = &opt.wish.domain },
		{ "hostname", .text = &opt.wish.hostname },
		{ "admin", .text = &opt.wish.admin },
		{ "listen-private", .text = &opt.wish.listen },
		{ "peer", .text = &opt.wish.peer },
		{ "cert", .text = &opt.wish.certificate },
		{ "key", .text = &opt.wish.key },
		{ "database", .text = &opt.wish.database },
		{ "fallback", .text = &opt.wish.fallback },
		{ "postscreen", .text = &opt.wish.postscreen },
		{ "tables", .text = &opt.wish.tables },
		{ "yes", .flag = &opt.is_yes },
		{ "dry-run", .flag = &opt.is_dry },
		{ "undo", .flag = &opt.is_undo },
		{ "force", .flag = &opt.is_forced },
		{ "regenerate", .flag = &opt.is_regenerate },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	if (operand != argc)
		return tool_wrong_use(usage);
	return run(&opt);
}
