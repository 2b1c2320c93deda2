#include "origin/fallback/doubt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "io/clock.h"
#include "io/file.h"
#include "io/log.h"

#define FILE_NAME "in-doubt.ring"
#define SLOTS ((size_t)4096)

struct doubt {
	pthread_mutex_t lock;
	struct ledger ledger;
	void *block;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void complain(const char *what, enum pw_status status, const char *path)
{
	pw_log(PW_LOG_WARNING, "", PW_KV("event", "ledger"), PW_KV("why", what),
	       PW_KV("status", pw_status_text(status)), PW_KV("path", path), PW_KV_END);
}

static enum pw_status format(struct doubt *doubt)
{
	uint8_t key[LEDGER_KEY_BYTES];

	if (RAND_bytes(key, sizeof(key)) != 1)
		return PW_ERR_CRYPTO;
	ledger_format(&doubt->ledger, doubt->block, ledger_bytes(SLOTS), key);
	pw_wipe(key, sizeof(key));
	return PW_OK;
}

static enum pw_status map_shared(struct doubt *doubt, int fd)
{
	doubt->block = mmap(NULL, ledger_bytes(SLOTS), PROT_READ | PROT_WRITE, MAP_SHARED,
	                    fd, 0);
	if (doubt->block != MAP_FAILED)
		return PW_OK;
	doubt->block = NULL;
	return PW_ERR_IO;
}

static void unmap(struct doubt *doubt)
{
	if (doubt->block)
		(void)munmap(doubt->block, ledger_bytes(SLOTS));
	doubt->block = NULL;
}

/* A new file beside the name, whole before it gets it; its blocks are there from the
 * start, or a full disk would be a signal in the midst of a message. */
static enum pw_status make(struct doubt *doubt, const char *path)
{
	char name[4200];
	enum pw_status r;
	int error;

	(void)snprintf(name, sizeof(name), "%s.XXXXXX", path);
	PW_AUTO(close_fd) int fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return pw_file_status(errno);
	error = posix_fallocate(fd, 0, (off_t)ledger_bytes(SLOTS));
	r = error ? pw_file_status(error) : map_shared(doubt, fd);
	if (r == PW_OK)
		r = format(doubt);
	if (r == PW_OK && rename(name, path) != 0)
		r = pw_file_status(errno);
	if (r == PW_OK)
		return r;
	unmap(doubt);
	(void)unlink(name);
	return r;
}

/* Errors  PW_ERR_NOTFOUND, PW_ERR_SYNTAX (not ours, or not whole), ... */
static enum pw_status take_over(struct doubt *doubt, const char *path)
{
	PW_AUTO(close_fd) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	enum pw_status r;
	int error;

	if (fd < 0)
		return pw_file_status(errno);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size != (off_t)ledger_bytes(SLOTS))
		return PW_ERR_SYNTAX;
	/* a copy may have holes */
	if ((error = posix_fallocate(fd, 0, st.st_size)) != 0)
		return pw_file_status(error);
	if ((r = map_shared(doubt, fd)) != PW_OK)
		return r;
	if ((r = ledger_attach(&doubt->ledger, doubt->block, (size_t)st.st_size)) !=
	    PW_OK)
		unmap(doubt);
	return r;
}

static enum pw_status open_file(struct doubt *doubt, const char *path)
{
	char aside[4200];
	enum pw_status r = take_over(doubt, path);

	if (r == PW_ERR_SYNTAX) {
		complain("is no ledger: set aside", r, path);
		(void)snprintf(aside, sizeof(aside), "%s.broken", path);
		(void)rename(path, aside);
		r = PW_ERR_NOTFOUND;
	}
	return r == PW_ERR_NOTFOUND ? make(doubt, path) : r;
}

static enum pw_status open_memory(struct doubt *doubt)
{
	doubt->block = mmap(NULL, ledger_bytes(SLOTS), PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (doubt->block == MAP_FAILED) {
		doubt->block = NULL;
		return PW_ERR_NOMEM;
	}
	return format(doubt);
}

enum pw_status doubt_open(struct doubt **out, const char *folder)
{
	struct doubt *doubt = calloc(1, sizeof(*doubt));
	char path[4096];
	enum pw_status r;

	if (!doubt)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&doubt->lock, NULL);
	(void)snprintf(path, sizeof(path), "%s/" FILE_NAME, folder);
	if ((r = open_file(doubt, path)) != PW_OK) {
		complain("kept in memory only", r, path);
		r = open_memory(doubt);
	}
	if (r != PW_OK) {
		doubt_close(&doubt);
		return r;
	}
	if (doubt->ledger.doubts > 0)
		pw_log(PW_LOG_INFO, "", PW_KV("event", "ledger"),
		       PW_KV_INT("in_doubt", doubt->ledger.doubts), PW_KV_END);
	*out = doubt;
	return PW_OK;
}

void doubt_close(struct doubt **doubt)
{
	if (!*doubt)
		return;
	unmap(*doubt);
	pthread_mutex_destroy(&(*doubt)->lock);
	free(*doubt);
	*doubt = NULL;
}

const uint8_t *doubt_secret(const struct doubt *doubt)
{
	return ledger_secret(&doubt->ledger);
}

size_t doubt_enter(struct doubt *doubt, const struct ledger_key *key, const uint8_t *id,
                   const uint32_t *rcpts, size_t rcpt_count)
{
	int64_t now_ms = pw_clock_wall_ms();
	size_t slot;

	pthread_mutex_lock(&doubt->lock);
	slot = ledger_enter(&doubt->ledger, key, id, rcpts, rcpt_count, now_ms);
	pthread_mutex_unlock(&doubt->lock);
	return slot;
}

void doubt_keep(struct doubt *doubt, size_t slot)
{
	pthread_mutex_lock(&doubt->lock);
	ledger_doubt(&doubt->ledger, slot);
	pthread_mutex_unlock(&doubt->lock);
}

void doubt_clear(struct doubt *doubt, size_t slot)
{
	pthread_mutex_lock(&doubt->lock);
	ledger_clear(&doubt->ledger, slot);
	pthread_mutex_unlock(&doubt->lock);
}

bool doubt_has_sender(struct doubt *doubt, const struct ledger_key *key)
{
	bool has;

	pthread_mutex_lock(&doubt->lock);
	has = ledger_has_sender(&doubt->ledger, key, pw_clock_wall_ms());
	pthread_mutex_unlock(&doubt->lock);
	return has;
}

bool doubt_has_header(struct doubt *doubt, const struct ledger_key *key)
{
	bool has;

	pthread_mutex_lock(&doubt->lock);
	has = ledger_has_header(&doubt->ledger, key, pw_clock_wall_ms());
	pthread_mutex_unlock(&doubt->lock);
	return has;
}

bool doubt_find(struct doubt *doubt, const struct ledger_key *key, uint8_t *id_out)
{
	bool found;

	pthread_mutex_lock(&doubt->lock);
	found = ledger_find(&doubt->ledger, key, id_out, pw_clock_wall_ms());
	pthread_mutex_unlock(&doubt->lock);
	return found;
}

void doubt_settle(struct doubt *doubt, const struct ledger_key *key,
                  const uint32_t *rcpts, size_t rcpt_count)
{
	pthread_mutex_lock(&doubt->lock);
	ledger_settle(&doubt->ledger, key, rcpts, rcpt_count);
	pthread_mutex_unlock(&doubt->lock);
}
