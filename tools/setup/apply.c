#include "tools/setup/apply.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "io/child.h"
#include "io/file.h"
#include "tools/command.h"
#include "tools/setup/postfix.h"
#include "tools/setup/service.h"
#include "tools/setup/sql.h"

#define KEYS_TIMEOUT "20000"
#define KEYS_TIMEOUT_MS 30000
#define DKIM_SOCKET "/var/spool/postfix/postward/dkim.sock"

struct work {
	const struct setup_plan *plan;
	const char *database;
	struct setup_outcome *out;
};

static int complain(const char *what, const char *name, const char *why)
{
	(void)fprintf(stderr, "postwardctl: %s %s: %s\n", what, name, why);
	return EX_CANTCREAT;
}

/* The folders above a file. */
static bool make_folders(const char *path)
{
	char folder[4096];

	if (strlen(path) >= sizeof(folder))
		return false;
	for (const char *slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
		if (mkdir(folder, 0755) != 0 && errno != EEXIST)
			return false;
	}
	return true;
}

static int do_file(const struct work *w, const struct setup_step *step)
{
	const struct passwd *user = step->value != NULL ? getpwnam(step->owner) : NULL;
	const struct group *group = step->value != NULL ? getgrnam(step->group) : NULL;
	enum pw_status r;

	(void)w;
	if (step->value == NULL)
		return unlink(step->name) == 0 || errno == ENOENT
		               ? EXIT_FINE
		               : complain("remove", step->name, strerror(errno));
	if (user == NULL || group == NULL)
		return complain("write", step->name,
		                "its owner is not there: apt install postward-common");
	if (!make_folders(step->name))
		return complain("write", step->name, strerror(errno));
	r = pw_file_replace(step->name, pw_str_from(step->value), step->mode & 0700);
	if (r != PW_OK)
		return complain("write", step->name, pw_status_text(r));
	if (chown(step->name, user->pw_uid, group->gr_gid) != 0 ||
	    chmod(step->name, step->mode) != 0)
		return complain("write", step->name, strerror(errno));
	return EXIT_FINE;
}

/* One parameter after the other would leave moments that nobody planned. */
static int do_postconf(const struct work *w, const struct setup_step *step)
{
	/* clang-format off */
	static const char *const flags[] = {
		[SETUP_MAIN] = "-e", [SETUP_SERVICE] = "-Me",
		[SETUP_SERVICE_GONE] = "-MX", [SETUP_OPTION] = "-Pe",
	};
	/* clang-format on */
	const char *argv[SETUP_STEPS_MAX + 3] = { "postconf", flags[step->kind] };
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct setup_plan texts = { 0 };
	const struct setup_step *end = w->plan->at + w->plan->count;

	if ((texts.status = pw_arena_new(&arena, 0)) == PW_OK) {
		texts.arena = arena;
		for (size_t n = 0; step + n < end && step[n].kind == step->kind; n++)
			argv[n + 2] = step->kind == SETUP_SERVICE_GONE
			                      ? step[n].name
			                      : setup_text(&texts, "%s=%s", step[n].name,
			                                   step[n].value);
	}
	if (texts.status != PW_OK)
		return complain("postconf", argv[1], pw_status_text(texts.status));
	return setup_run(argv) ? EXIT_FINE : EX_CANTCREAT;
}

static int do_run(const struct work *w, const struct setup_step *step)
{
	(void)w;
	return setup_run(step->argv) ? EXIT_FINE : EX_SOFTWARE;
}

static int do_serve(const struct work *w, const struct setup_step *step)
{
	(void)w;
	return setup_serve(step->name, step->value) ? EXIT_FINE : EX_CONFIG;
}

/* postwardctl dkim new in a process of its own: nothing here depends on it. */
static int do_keys(const struct work *w, const struct setup_step *step)
{
	/* nobody is waited for who does not run; the request stays */
	const char *patience = access(DKIM_SOCKET, F_OK) == 0 ? KEYS_TIMEOUT : "1";
	const char *const argv[] = { "/proc/self/exe", "dkim",      "new",
		                     step->name,       "--timeout", patience,
		                     "--database",     w->database, NULL };
	int code = 0;

	if (pw_child_run(argv, (struct pw_str){ 0 }, NULL, NULL, KEYS_TIMEOUT_MS,
	                 &code) == PW_OK &&
	    code == 0)
		return EXIT_FINE;
	w->out->has_no_keys = true;
	(void)fprintf(
		stderr,
		"postwardctl: postward-dkim has made no keys yet; once it runs it will. "
		"To see them: postwardctl setup --yes\n");
	return EXIT_FINE;
}

static int do_create(const struct work *w, const struct setup_step *step)
{
	(void)w;
	return setup_sql_create(step->value, step->name);
}

static int do_migrate(const struct work *w, const struct setup_step *step)
{
	(void)w;
	return setup_sql_migrate(step->value);
}

static int do_sql(const struct work *w, const struct setup_step *step)
{
	return setup_sql_statement(w->database, step->sql, step->value, step->other);
}

static int do_user(const struct work *w, const struct setup_step *step)
{
	return setup_sql_user(w->database, step->name, w->out->password);
}

static int do_nothing(const struct work *w, const struct setup_step *step)
{
	(void)w;
	(void)step;
	return EXIT_FINE;
}

/* clang-format off */
static int (*const actions[])(const struct work *w, const struct setup_step *step) = {
	[SETUP_FILE] = do_file,
	[SETUP_MAIN] = do_postconf,
	[SETUP_SERVICE] = do_postconf,
	[SETUP_SERVICE_GONE] = do_postconf,
	[SETUP_OPTION] = do_postconf,
	[SETUP_CREATE] = do_create,
	[SETUP_MIGRATE] = do_migrate,
	[SETUP_SQL] = do_sql,
	[SETUP_USER] = do_user,
	[SETUP_RUN] = do_run,
	[SETUP_SERVE] = do_serve,
	[SETUP_KEYS] = do_keys,
	[SETUP_NOTE] = do_nothing,
};
/* clang-format on */

/* The file a step changes; NULL = none. */
static const char *file_of(const struct setup_step *step)
{
	if (step->kind == SETUP_FILE)
		return step->name;
	if (step->kind == SETUP_MAIN)
		return SETUP_MAIN_CF;
	if (actions[step->kind] == do_postconf)
		return SETUP_MASTER_CF;
	return step->kind == SETUP_RUN ? step->value : NULL;
}

static int keep_files(const struct setup_plan *plan, struct setup_backup *backup)
{
	for (size_t i = 0; i < plan->count; i++) {
		const char *path = file_of(&plan->at[i]);
		enum pw_status r =
			path != NULL ? setup_backup_before(backup, path) : PW_OK;

		if (r != PW_OK)
			return complain("keep a copy of", path, pw_status_text(r));
	}
	return EXIT_FINE;
}

static void print_step(const struct setup_step *step)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str lines;

	setup_step_print(&text, step);
	/* what is in a file is shown by --dry-run */
	lines = pw_buf_str(&text);
	if (step->kind == SETUP_FILE)
		lines.len = pw_str_find(lines, '\n') + 1;
	(void)printf("%.*s", PW_FMT(lines));
	(void)fflush(stdout);
}

/* postconf takes neighbours of a kind in one go. */
static bool is_done_already(const struct setup_plan *plan, size_t i)
{
	return i > 0 && actions[plan->at[i].kind] == do_postconf &&
	       plan->at[i - 1].kind == plan->at[i].kind;
}

int setup_apply(const struct setup_plan *plan, struct setup_backup *backup,
                const char *database, bool is_quiet, struct setup_outcome *out)
{
	const struct work w = { .plan = plan, .database = database, .out = out };
	int code = keep_files(plan, backup);
	enum pw_status r;

	for (size_t i = 0; i < plan->count && code == EXIT_FINE; i++) {
		if (!is_quiet)
			print_step(&plan->at[i]);
		if (!is_done_already(plan, i))
			code = actions[plan->at[i].kind](&w, &plan->at[i]);
	}
	if (code == EXIT_FINE && (r = setup_backup_after(backup)) != PW_OK)
		code = complain("write", SETUP_STATE "/manifest", pw_status_text(r));
	return code;
}
