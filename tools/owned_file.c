#include "tools/owned_file.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"

const char *tool_replace_owned(const char *path, struct pw_str text, mode_t mode,
                               const char *user)
{
	const struct passwd *owner = getpwnam(user);
	struct stat before;
	uid_t uid = owner != NULL ? owner->pw_uid : geteuid();
	gid_t gid = owner != NULL ? owner->pw_gid : getegid();
	enum pw_status r;

	if (stat(path, &before) == 0) {
		uid = before.st_uid;
		gid = before.st_gid;
	}
	if ((r = pw_file_replace(path, text, mode)) != PW_OK)
		return pw_status_text(r);
	return geteuid() == 0 && chown(path, uid, gid) != 0 ? strerror(errno) : NULL;
}
