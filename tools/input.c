#include "tools/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"

#define CHUNK ((size_t)64 * 1024)

struct chunk {
	char at[CHUNK];
};

static void chunk_done(struct chunk *chunk)
{
	pw_wipe(chunk, sizeof(*chunk));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static enum pw_status from_errno(const char **why_out)
{
	*why_out = strerror(errno);
	return pw_file_status(errno);
}

static enum pw_status check_file(int fd, size_t max_bytes, const char **why_out)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return from_errno(why_out);
	if (!S_ISREG(st.st_mode)) {
		*why_out = S_ISDIR(st.st_mode) ? "is a folder" : "is no regular file";
		return PW_ERR_STATE;
	}
	if ((uintmax_t)st.st_size > max_bytes) {
		*why_out = "is too large";
		return PW_ERR_LIMIT;
	}
	return PW_OK;
}

/* The file may grow while it is read. */
static enum pw_status read_all(struct pw_buf *out, int fd, size_t max_bytes,
                               const char **why_out)
{
	PW_AUTO(chunk_done) struct chunk chunk;
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, chunk.at, sizeof(chunk.at))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return from_errno(why_out);
		total += (size_t)n;
		if (total > max_bytes) {
			*why_out = "is too large";
			return PW_ERR_LIMIT;
		}
		pw_buf_puts(out, (struct pw_str){ chunk.at, (size_t)n });
	}
	*why_out = pw_status_text(out->status);
	return pw_buf_status(out);
}

/* Without O_NONBLOCK the open of a FIFO would wait for a writer. */
enum pw_status tool_read_regular(struct pw_buf *out, const char *path, size_t max_bytes,
                                 const char **why_out)
{
	PW_AUTO(close_fd)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum pw_status r;

	if (fd < 0)
		return from_errno(why_out);
	if ((r = check_file(fd, max_bytes, why_out)) != PW_OK)
		return r;
	return read_all(out, fd, max_bytes, why_out);
}
