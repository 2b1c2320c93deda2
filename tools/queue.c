#include "tools/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "io/file.h"

#define DEPTH_MAX 6 /* hash_queue_depth and some more */
/* A long queue id: seconds, microseconds, z, inode. */
#define SECOND_DIGITS 6
#define TIME_DIGITS 10

static const char *const names[QUEUES] = { "maildrop", "incoming", "active", "deferred",
	                                   "hold" };

static void dir_close(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

int64_t queue_arrival(const char *name)
{
	static const char digits[] =
		"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
	int64_t seconds = 0;

	if (strlen(name) <= TIME_DIGITS || name[TIME_DIGITS] != 'z')
		return 0;
	for (size_t i = 0; i < SECOND_DIGITS; i++) {
		const char *digit = strchr(digits, name[i]);

		if (digit == NULL)
			return 0;
		seconds = seconds * (int64_t)(sizeof(digits) - 1) + (digit - digits);
	}
	return seconds;
}

/* Of a file with a short name only its last change is known. */
static void count_file(struct queue_count *out, const char *name, const struct stat *file,
                       int64_t now_s)
{
	int64_t arrival_s = queue_arrival(name);
	int64_t age_s = now_s - (arrival_s > 0 ? arrival_s : (int64_t)file->st_ctime);

	out->messages++;
	if (age_s > out->oldest_s)
		out->oldest_s = age_s;
}

static enum pw_status count(struct queue_count *out, int at, const char *name, int depth,
                            int64_t now_s)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	PW_AUTO(dir_close) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return pw_file_status(errno);
	}
	while ((entry = readdir(dir)) != NULL && out->messages < QUEUE_FILES_MAX) {
		struct stat file;

		if (entry->d_name[0] == '.' ||
		    fstatat(fd, entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0)
			continue; /* it has just left the queue */
		if (S_ISREG(file.st_mode))
			count_file(out, entry->d_name, &file, now_s);
		else if (S_ISDIR(file.st_mode) && depth < DEPTH_MAX)
			(void)count(out, fd, entry->d_name, depth + 1, now_s);
	}
	return PW_OK;
}

enum pw_status queue_read(struct queue_count out[QUEUES], const char *folder,
                          int64_t now_s)
{
	int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum pw_status r = at < 0 ? pw_file_status(errno) : PW_OK;

	for (size_t i = 0; r == PW_OK && i < QUEUES; i++) {
		out[i] = (struct queue_count){ .name = names[i] };
		r = count(&out[i], at, names[i], 0, now_s);
	}
	if (at >= 0)
		(void)close(at);
	return r;
}
