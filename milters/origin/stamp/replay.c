#include "origin/stamp/replay.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <openssl/sha.h>

#include "io/log.h"
#include "io/mapped.h"

#define FILE_NAME "replay.table"
#define ENTRIES ((size_t)256 * 1024) /* 8 MB: 32,000 deliveries a day */
#define PATH_BYTES 4100

struct replay {
	pthread_mutex_t lock;
	struct replay_table table;
	struct pw_mapped block;
	int64_t opened_s;
};

static size_t block_bytes(void)
{
	return replay_table_bytes(ENTRIES);
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

static enum pw_status make(void *user, void *at, enum pw_mapped_source source)
{
	struct replay *replay = user;
	/* the first one: nothing was here before this second; else who knows */
	int64_t horizon_s =
		replay->opened_s + (source == PW_MAPPED_NEW ? -1 : PW_STAMP_SKEW_S);
	uint8_t seed[16];

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return PW_ERR_CRYPTO;
	replay_table_format(&replay->table, at, block_bytes(), seed, horizon_s);
	return PW_OK;
}

static enum pw_status take(void *user, void *at)
{
	struct replay *replay = user;

	return replay_table_attach(&replay->table, at, block_bytes(),
	                           boot_s(replay->opened_s),
	                           replay->opened_s + PW_STAMP_SKEW_S);
}

static enum pw_status map(struct replay *replay, const char *path)
{
	const struct pw_mapped_owner owner = { replay, make, take };
	enum pw_mapped_source source;
	enum pw_status why, r;

	r = pw_mapped_open(&replay->block, path, block_bytes(), &owner, &source, &why);
	if (r == PW_OK && source == PW_MAPPED_ASIDE)
		complain("is no table of replays: set aside", why, path);
	if (r == PW_OK && source == PW_MAPPED_MEMORY)
		complain("no file: what is seen is forgotten at the end", why, path);
	return r;
}

enum pw_status replay_open(struct replay **out, const char *folder, int64_t now_s)
{
	PW_AUTO(replay_close) struct replay *replay = calloc(1, sizeof(*replay));
	char path[PATH_BYTES];
	enum pw_status r;

	if (!replay)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&replay->lock, NULL);
	replay->opened_s = now_s;
	(void)snprintf(path, sizeof(path), "%s/" FILE_NAME, folder);
	if ((r = map(replay, path)) != PW_OK)
		return r;
	replay_table_open(&replay->table, boot_s(now_s));
	*out = PW_TAKE(replay);
	return PW_OK;
}

void replay_close(struct replay **replay)
{
	if (!*replay)
		return;
	if ((*replay)->block.at) {
		pw_mapped_sync(&(*replay)->block);
		replay_table_close(&(*replay)->table);
	}
	pw_mapped_close(&(*replay)->block);
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
