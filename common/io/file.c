#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK ((size_t)64 * 1024)

static void close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

enum pw_status pw_file_status(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return PW_ERR_NOTFOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return PW_ERR_DENIED;
	case ENOMEM:
		return PW_ERR_NOMEM;
	default:
		return PW_ERR_IO;
	}
}

/* The file may hold keys. */
struct chunk {
	char at[READ_CHUNK];
};

static void chunk_done(struct chunk *chunk)
{
	pw_wipe(chunk, sizeof(*chunk));
}

enum pw_status pw_file_read(struct pw_buf *out, const char *path, size_t max_bytes)
{
	PW_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	PW_AUTO(chunk_done) struct chunk chunk;
	size_t total = 0;

	if (fd < 0)
		return pw_file_status(errno);
	for (;;) {
		ssize_t n = read(fd, chunk.at, sizeof(chunk.at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pw_file_status(errno);
		if (n == 0)
			break;
		total += (size_t)n;
		if (total > max_bytes)
			return PW_ERR_LIMIT;
		pw_buf_puts(out, (struct pw_str){ chunk.at, (size_t)n });
	}
	return pw_buf_status(out);
}

static enum pw_status write_all(int fd, struct pw_str content)
{
	while (content.len > 0) {
		ssize_t n = write(fd, content.at, content.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pw_file_status(errno);
		content.at += n;
		content.len -= (size_t)n;
	}
	return PW_OK;
}

static enum pw_status write_beside(char *name, struct pw_str content, mode_t mode)
{
	PW_AUTO(close_fd) int fd = mkostemp(name, O_CLOEXEC);
	enum pw_status r;

	if (fd < 0)
		return pw_file_status(errno);
	if ((r = write_all(fd, content)) != PW_OK)
		return r;
	if (fchmod(fd, mode) != 0 || fsync(fd) != 0)
		return pw_file_status(errno);
	return PW_OK;
}

/* The new name itself survives a crash only once its folder is synced. */
static enum pw_status sync_folder(const char *path)
{
	PW_AUTO(pw_buf_done) struct pw_buf folder = { 0 };
	struct pw_str text = pw_str_from(path);
	size_t slash = pw_str_rfind(text, '/');

	pw_buf_puts(&folder,
	            slash == text.len ? PW_STR(".") : pw_str_sub(text, 0, slash + 1));
	if (pw_buf_status(&folder) != PW_OK)
		return PW_ERR_NOMEM;
	PW_AUTO(close_fd)
	int fd = open(pw_buf_text(&folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		return pw_file_status(errno);
	return PW_OK;
}

enum pw_status pw_file_replace(const char *path, struct pw_str content, mode_t mode)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	enum pw_status r;

	pw_buf_printf(&name, "%s.XXXXXX", path);
	if (pw_buf_status(&name) != PW_OK)
		return PW_ERR_NOMEM;
	if ((r = write_beside(name.at, content, mode)) == PW_OK &&
	    rename(name.at, path) != 0)
		r = pw_file_status(errno);
	if (r == PW_OK)
		return sync_folder(path);
	int saved = errno;
	(void)unlink(name.at); /* if it exists at all */
	errno = saved;
	return r;
}
