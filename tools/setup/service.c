#include "tools/setup/service.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/child.h"
#include "tools/setup/dovecot.h"

#define TIMEOUT_MS 120000

static bool succeeds(const char *const *argv, struct pw_buf *err)
{
	int code = 0;

	return pw_child_run(argv, (struct pw_str){ 0 }, err, err, TIMEOUT_MS, &code) ==
	               PW_OK &&
	       code == 0;
}

bool setup_run(const char *const *argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf err = { 0 };

	if (succeeds(argv, &err))
		return true;
	(void)fprintf(stderr, "postwardctl: %s", argv[0]);
	for (size_t i = 1; argv[i] != NULL; i++)
		(void)fprintf(stderr, " %s", argv[i]);
	(void)fprintf(stderr, " failed%s\n%s", err.len > 0 ? ":" : "", pw_buf_text(&err));
	return false;
}

bool setup_has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

bool setup_service_runs(const char *name)
{
	return succeeds((const char *const[]){ "systemctl", "is-enabled", name, NULL },
	                NULL) &&
	       succeeds((const char *const[]){ "systemctl", "is-active", name, NULL },
	                NULL);
}

static bool by_systemd(const char *name, const char *what)
{
	if (!succeeds((const char *const[]){ "systemctl", "cat", name, NULL }, NULL)) {
		(void)fprintf(stderr,
		              "postwardctl: there is no service %s, it is not %s\n", name,
		              strcmp(what, "enable") == 0 ? "enabled" : "restarted");
		return true;
	}
	if (strcmp(what, "enable") == 0)
		return setup_run((const char *const[]){ "systemctl", "enable", "--now",
		                                        name, NULL });
	return setup_run((const char *const[]){
		"systemctl", strcmp(what, "reload") == 0 ? "reload-or-restart" : what,
		name, NULL });
}

static bool not_running(const char *name)
{
	(void)fprintf(stderr, "postwardctl: %s does not run, so it is not reloaded\n",
	              name);
	return true;
}

static bool postfix(const char *what)
{
	if (!succeeds((const char *const[]){ "postfix", "status", NULL }, NULL))
		return not_running("Postfix");
	if (strcmp(what, "reload") == 0)
		return setup_run((const char *const[]){ "postfix", "reload", NULL });
	return setup_run((const char *const[]){ "postfix", "stop", NULL }) &&
	       setup_run((const char *const[]){ "postfix", "start", NULL });
}

static bool dovecot(const char *what)
{
	static const char *const start[] = { "dovecot", NULL };
	static const char *const reload[] = { "doveadm", "reload", NULL };

	if (strcmp(what, "reload") == 0)
		return succeeds(reload, NULL) || not_running("Dovecot");
	if (!succeeds((const char *const[]){ "doveadm", "stop", NULL }, NULL))
		return not_running("Dovecot");
	/* its supervisor may have been faster */
	return succeeds(start, NULL) || succeeds(reload, NULL) || setup_run(start);
}

/* postgresql@VERSION-NAME */
static bool cluster(const char *name, const char *what)
{
	char version[20] = "", cluster_name[100] = "";

	if (sscanf(name, "postgresql@%19[^-]-%99s", version, cluster_name) != 2)
		return false;
	return setup_run((const char *const[]){ "pg_ctlcluster", version, cluster_name,
	                                        what, NULL });
}

static bool without_systemd(const char *name, const char *what)
{
	if (strcmp(name, "postfix") == 0)
		return postfix(what);
	if (strcmp(name, "dovecot") == 0)
		return dovecot(what);
	if (strncmp(name, "postgresql@", 11) == 0)
		return cluster(name, what);
	return not_running(name);
}

bool setup_serve(const char *name, const char *what)
{
	if (strcmp(name, "dovecot") == 0 && !setup_dovecot_check())
		return false;
	return setup_has_systemd() ? by_systemd(name, what) : without_systemd(name, what);
}
