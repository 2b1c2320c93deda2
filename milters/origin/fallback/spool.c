#include "origin/fallback/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/file.h"

void spool_reset(struct spool *spool)
{
	if (spool->is_open)
		(void)close(spool->fd);
	spool->is_open = false;
	spool->bytes = 0;
	spool->status = PW_OK;
	pw_buf_done(&spool->buffer); /* seldom used, and sessions are many */
}

void spool_done(struct spool *spool)
{
	spool_reset(spool);
}

static enum pw_status disk_status(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG
	               ? PW_ERR_LIMIT
	               : pw_file_status(error);
}

/* File systems without O_TMPFILE get a name for a moment. */
static int open_named(const char *folder)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	int fd;

	pw_buf_printf(&name, "%s/spool.XXXXXX", folder);
	if (pw_buf_status(&name) != PW_OK) {
		errno = ENOMEM;
		return -1;
	}
	fd = mkostemp(name.at, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(name.at);
	return fd;
}

static enum pw_status open_file(struct spool *spool)
{
	if (spool->is_open)
		return PW_OK;
	spool->fd = open(spool->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (spool->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		spool->fd = open_named(spool->folder);
	if (spool->fd < 0)
		return disk_status(errno);
	spool->is_open = true;
	return PW_OK;
}

static enum pw_status write_all(int fd, struct pw_str bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return disk_status(errno);
		bytes = pw_str_sub(bytes, (size_t)n, bytes.len);
	}
	return PW_OK;
}

static enum pw_status flush(struct spool *spool)
{
	enum pw_status r = open_file(spool);

	if (r == PW_OK)
		r = write_all(spool->fd, pw_buf_str(&spool->buffer));
	pw_buf_reset(&spool->buffer);
	return r;
}

void spool_write(struct spool *spool, struct pw_str bytes)
{
	if (spool->status != PW_OK)
		return;
	if (spool->buffer.len + bytes.len > SPOOL_MEMORY)
		spool->status = flush(spool);
	if (spool->status == PW_OK && bytes.len > SPOOL_MEMORY)
		spool->status = write_all(spool->fd, bytes);
	else
		pw_buf_puts(&spool->buffer, bytes);
	if (spool->status == PW_OK)
		spool->status = pw_buf_status(&spool->buffer);
	spool->bytes += (int64_t)bytes.len;
}

enum pw_status spool_status(const struct spool *spool)
{
	return spool->status;
}

enum pw_status spool_read(struct spool *spool,
                          void (*take)(void *user, struct pw_str bytes), void *user)
{
	char piece[SPOOL_MEMORY];
	off_t at = 0;

	while (spool->status == PW_OK && spool->is_open) {
		ssize_t n = pread(spool->fd, piece, sizeof(piece), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			spool->status = disk_status(errno);
		if (n <= 0)
			break;
		at += n;
		take(user, (struct pw_str){ piece, (size_t)n });
	}
	if (spool->status == PW_OK && at + (off_t)spool->buffer.len != spool->bytes)
		spool->status = PW_ERR_IO; /* shorter than what was written */
	if (spool->status == PW_OK && spool->buffer.len > 0)
		take(user, pw_buf_str(&spool->buffer));
	return spool->status;
}
