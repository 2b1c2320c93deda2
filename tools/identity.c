#include "tools/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_BECOME 255 /* exit code of the process: could not become that user */

enum pw_status identity_find(struct identity *out, struct pw_str name)
{
	const struct passwd *user;
	int64_t number;

	if (name.len == 0 || name.len >= sizeof(out->name))
		return PW_ERR_NOTFOUND;
	*out = (struct identity){ 0 };
	memcpy(out->name, name.at, name.len);
	if ((user = getpwnam(out->name)) != NULL) {
		out->uid = user->pw_uid;
		out->gid = user->pw_gid;
		(void)snprintf(out->home, sizeof(out->home), "%s", user->pw_dir);
		return PW_OK;
	}
	if (pw_str_to_int64(name, 0, UINT32_MAX - 1, &number) != PW_OK)
		return PW_ERR_NOTFOUND;
	out->uid = (uid_t)number;
	out->gid = (gid_t)number;
	return PW_OK;
}

/* In Postfix's order: groups while /etc/group can be seen, and the user last, who may
 * nothing of this. HOME is theirs: libpq looks there for certificates, and gives up where
 * it may not look. */
static bool become(const struct identity *who, const char *root, const char *folder)
{
	bool is_root = geteuid() == 0;

	if (is_root && (initgroups(who->name, who->gid) != 0 || setgid(who->gid) != 0))
		return false;
	if (root != NULL && chroot(root) != 0)
		return false;
	if (is_root && setuid(who->uid) != 0)
		return false;
	return geteuid() == who->uid && setenv("HOME", who->home, 1) == 0 &&
	       (folder == NULL || chdir(folder) == 0);
}

enum pw_status identity_run(const struct identity *who, const char *root,
                            const char *folder, int (*act)(void *arg), void *arg,
                            int *code_out)
{
	int status = 0;
	pid_t pid, ended;

	if (geteuid() != 0 && (geteuid() != who->uid || root != NULL))
		return PW_ERR_DENIED;
	(void)fflush(NULL);
	if ((pid = fork()) < 0)
		return PW_ERR_IO;
	if (pid == 0)
		_exit(become(who, root, folder) ? act(arg) : CANNOT_BECOME);
	while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (ended != pid || !WIFEXITED(status) || WEXITSTATUS(status) == CANNOT_BECOME)
		return PW_ERR_IO;
	*code_out = WEXITSTATUS(status);
	return PW_OK;
}
