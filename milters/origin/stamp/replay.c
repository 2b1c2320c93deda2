#include "origin/stamp/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "io/file.h"
#include "io/log.h"

#define FILE_NAME "replay.table"
#define ENTRIES ((size_t)256 * 1024) /* 8 MB: 32,000 deliveries a day */
#define PATH_BYTES 4200

struct replay {
	pthread_mutex_t lock;
	struct replay_table table;
	void *block;
};

static size_t block_bytes(void)
{
	return replay_table_bytes(ENTRIES);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void complain(const char *what, enum pw_status status, const char *path)
{
	pw_log(PW_LOG_ERROR, "", PW_KV("event", "replay"), PW_KV("why", what),
	       PW_KV("status", pw_status_text(status)), PW_KV("path", path), PW_KV_END);
}

/* When the machine was started. */
static int64_t boot_s(int64_t now_s)
{
	struct timespec up = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &up);
	return now_s - up.tv_sec;
}

static enum pw_status map(struct replay *replay, int fd, int flags)
{
	void *block = mmap(NULL, block_bytes(), PROT_READ | PROT_WRITE, flags, fd, 0);

	if (block == MAP_FAILED)
		return errno == ENOMEM ? PW_ERR_NOMEM : PW_ERR_IO;
	replay->block = block;
	return PW_OK;
}

static void unmap(struct replay *replay)
{
	if (replay->block)
		(void)munmap(replay->block, block_bytes());
	replay->block = NULL;
}

static enum pw_status format(struct replay *replay, int64_t horizon_s)
{
	uint8_t seed[16];

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return PW_ERR_CRYPTO;
	replay_table_format(&replay->table, replay->block, block_bytes(), seed,
	                    horizon_s);
	return PW_OK;
}

/* A new file beside the name, whole before it gets it; its blocks are there from the
 * start, or a full disk would be a signal in the midst of a message. */
static enum pw_status make(struct replay *replay, const char *path, int64_t horizon_s)
{
	char name[PATH_BYTES];
	enum pw_status r;
	int error;

	(void)snprintf(name, sizeof(name), "%s.XXXXXX", path);
	PW_AUTO(close_fd) int fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return pw_file_status(errno);
	error = posix_fallocate(fd, 0, (off_t)block_bytes());
	r = error ? pw_file_status(error) : map(replay, fd, MAP_SHARED);
	if (r == PW_OK)
		r = format(replay, horizon_s);
	if (r == PW_OK && rename(name, path) != 0)
		r = pw_file_status(errno);
	if (r == PW_OK)
		return r;
	unmap(replay);
	(void)unlink(name);
	return r;
}

/* Errors  PW_ERR_NOTFOUND, PW_ERR_SYNTAX (not ours, or not whole), ... */
static enum pw_status take_over(struct replay *replay, const char *path, int64_t now_s)
{
	PW_AUTO(close_fd) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	enum pw_status r;
	int error;

	if (fd < 0)
		return pw_file_status(errno);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size != (off_t)block_bytes())
		return PW_ERR_SYNTAX;
	/* a copy may have holes */
	if ((error = posix_fallocate(fd, 0, st.st_size)) != 0)
		return pw_file_status(error);
	if ((r = map(replay, fd, MAP_SHARED)) != PW_OK)
		return r;
	r = replay_table_attach(&replay->table, replay->block, block_bytes(),
	                        boot_s(now_s), now_s + PW_STAMP_SKEW_S);
	if (r != PW_OK)
		unmap(replay);
	return r;
}

static enum pw_status open_file(struct replay *replay, const char *path, int64_t now_s)
{
	char aside[PATH_BYTES];
	enum pw_status r = take_over(replay, path, now_s);

	if (r == PW_ERR_SYNTAX) {
		complain("is no table of replays: set aside", r, path);
		(void)snprintf(aside, sizeof(aside), "%s.broken", path);
		(void)rename(path, aside);
		return make(replay, path, now_s + PW_STAMP_SKEW_S);
	}
	/* the first one: nothing was here before this second */
	return r == PW_ERR_NOTFOUND ? make(replay, path, now_s - 1) : r;
}

static enum pw_status open_memory(struct replay *replay, int64_t now_s)
{
	enum pw_status r = map(replay, -1, MAP_PRIVATE | MAP_ANONYMOUS);

	return r == PW_OK ? format(replay, now_s + PW_STAMP_SKEW_S) : r;
}

enum pw_status replay_open(struct replay **out, const char *folder, int64_t now_s)
{
	PW_AUTO(replay_close) struct replay *replay = calloc(1, sizeof(*replay));
	char path[PATH_BYTES - 8];
	enum pw_status r;

	if (!replay)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&replay->lock, NULL);
	(void)snprintf(path, sizeof(path), "%s/" FILE_NAME, folder);
	if ((r = open_file(replay, path, now_s)) != PW_OK) {
		complain("no file: what is seen is forgotten at the end", r, path);
		r = open_memory(replay, now_s);
	}
	if (r != PW_OK)
		return r;
	replay_table_open(&replay->table, boot_s(now_s));
	*out = PW_TAKE(replay);
	return PW_OK;
}

void replay_close(struct replay **replay)
{
	if (!*replay)
		return;
	if ((*replay)->block) {
		(void)msync((*replay)->block, block_bytes(), MS_SYNC);
		replay_table_close(&(*replay)->table);
	}
	unmap(*replay);
	pthread_mutex_destroy(&(*replay)->lock);
	free(*replay);
	*replay = NULL;
}

/* A delivery: the stamp's nonce and the recipient's hash under it. */
static struct replay_entry entry_of(const struct pw_stamp *stamp, struct pw_str recipient)
{
	struct replay_entry entry = { .at_s = stamp->facts.at_s };
	unsigned char text[PW_STAMP_NONCE + PW_STAMP_HASH], hash[SHA256_DIGEST_LENGTH];

	memcpy(text, stamp->nonce, PW_STAMP_NONCE);
	pw_stamp_hash(text + PW_STAMP_NONCE, stamp, recipient);
	SHA256(text, sizeof(text), hash);
	memcpy(entry.key, hash, REPLAY_KEY);
	memcpy(entry.digest, stamp->digest, REPLAY_DIGEST);
	return entry;
}

static enum replay_verdict look(const struct replay *replay, const struct pw_stamp *stamp,
                                const struct pw_str *recipients, size_t count,
                                int64_t now_s)
{
	enum replay_verdict gravest = REPLAY_NEW;

	for (size_t i = 0; i < count; i++) {
		struct replay_entry entry = entry_of(stamp, recipients[i]);
		enum replay_verdict v = replay_table_look(&replay->table, &entry, now_s);

		if (v > gravest)
			gravest = v;
	}
	return gravest;
}

enum replay_verdict replay_check(struct replay *replay, const struct pw_stamp *stamp,
                                 const struct pw_str *recipients, size_t count,
                                 int64_t now_s)
{
	enum replay_verdict verdict;

	pthread_mutex_lock(&replay->lock);
	verdict = look(replay, stamp, recipients, count, now_s);
	for (size_t i = 0; verdict != REPLAY_OTHER && i < count; i++) {
		struct replay_entry entry = entry_of(stamp, recipients[i]);

		(void)replay_table_put(&replay->table, &entry, now_s);
	}
	pthread_mutex_unlock(&replay->lock);
	return verdict;
}
