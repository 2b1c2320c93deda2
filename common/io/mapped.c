#include "io/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"

#define PATH_BYTES 4200

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static enum pw_status map(struct pw_mapped *mapped, int fd, int flags)
{
	void *at = mmap(NULL, mapped->len, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		return errno == ENOMEM ? PW_ERR_NOMEM : PW_ERR_IO;
	mapped->at = at;
	return PW_OK;
}

/* A new file beside the name. */
static enum pw_status make(struct pw_mapped *mapped, const char *path,
                           const struct pw_mapped_owner *owner,
                           enum pw_mapped_source source)
{
	char name[PATH_BYTES];
	enum pw_status r;
	int error;

	(void)snprintf(name, sizeof(name), "%s.XXXXXX", path);
	PW_AUTO(close_fd) int fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return pw_file_status(errno);
	error = posix_fallocate(fd, 0, (off_t)mapped->len);
	r = error ? pw_file_status(error) : map(mapped, fd, MAP_SHARED);
	if (r == PW_OK)
		r = owner->make(owner->user, mapped->at, source);
	if (r == PW_OK && rename(name, path) != 0)
		r = pw_file_status(errno);
	if (r == PW_OK)
		return r;
	pw_mapped_close(mapped);
	(void)unlink(name);
	return r;
}

/* Errors  PW_ERR_NOTFOUND, PW_ERR_SYNTAX (not the owner's, or not whole), ... */
static enum pw_status take(struct pw_mapped *mapped, const char *path,
                           const struct pw_mapped_owner *owner)
{
	PW_AUTO(close_fd) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	enum pw_status r;
	int error;

	if (fd < 0)
		return pw_file_status(errno);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size != (off_t)mapped->len)
		return PW_ERR_SYNTAX;
	/* a copy may have holes */
	if ((error = posix_fallocate(fd, 0, st.st_size)) != 0)
		return pw_file_status(error);
	if ((r = map(mapped, fd, MAP_SHARED)) != PW_OK)
		return r;
	if ((r = owner->take(owner->user, mapped->at)) != PW_OK)
		pw_mapped_close(mapped);
	return r;
}

static enum pw_status open_file(struct pw_mapped *mapped, const char *path, size_t len,
                                const struct pw_mapped_owner *owner,
                                enum pw_mapped_source *source_out,
                                enum pw_status *why_out)
{
	char aside[PATH_BYTES];
	enum pw_status r;

	*mapped = (struct pw_mapped){ .len = len };
	*source_out = PW_MAPPED_OLD;
	r = take(mapped, path, owner);
	if (r == PW_ERR_SYNTAX) {
		*why_out = r;
		*source_out = PW_MAPPED_ASIDE;
		(void)snprintf(aside, sizeof(aside), "%s.broken", path);
		(void)rename(path, aside);
	} else if (r == PW_ERR_NOTFOUND) {
		*source_out = PW_MAPPED_NEW;
	} else {
		return r;
	}
	mapped->len = len; /* closed meanwhile */
	return make(mapped, path, owner, *source_out);
}

enum pw_status pw_mapped_open(struct pw_mapped *out, const char *path, size_t len,
                              const struct pw_mapped_owner *owner,
                              enum pw_mapped_source *source_out, enum pw_status *why_out)
{
	struct pw_mapped mapped;
	enum pw_status r = open_file(&mapped, path, len, owner, source_out, why_out);

	if (r != PW_OK) {
		*why_out = r;
		*source_out = PW_MAPPED_MEMORY;
		mapped.len = len;
		r = map(&mapped, -1, MAP_PRIVATE | MAP_ANONYMOUS);
		if (r == PW_OK)
			r = owner->make(owner->user, mapped.at, *source_out);
	}
	if (r != PW_OK) {
		pw_mapped_close(&mapped);
		return r;
	}
	*out = mapped;
	return PW_OK;
}

void pw_mapped_sync(const struct pw_mapped *mapped)
{
	if (mapped->at)
		(void)msync(mapped->at, mapped->len, MS_SYNC);
}

void pw_mapped_close(struct pw_mapped *mapped)
{
	if (mapped->at)
		(void)munmap(mapped->at, mapped->len);
	*mapped = (struct pw_mapped){ NULL, 0 };
}
