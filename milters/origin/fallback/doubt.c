#include "origin/fallback/doubt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/rand.h>

#include "io/clock.h"
#include "io/log.h"
#include "io/mapped.h"

#define FILE_NAME "in-doubt.ring"
#define SLOTS ((size_t)4096)

struct doubt {
	pthread_mutex_t lock;
	struct ledger ledger;
	struct pw_mapped block;
};

static void complain(const char *what, enum pw_status status, const char *path)
{
	pw_log(PW_LOG_WARNING, "", PW_KV("event", "ledger"), PW_KV("why", what),
	       PW_KV("status", pw_status_text(status)), PW_KV("path", path), PW_KV_END);
}

static enum pw_status make(void *user, void *at, enum pw_mapped_source source)
{
	struct doubt *doubt = user;
	uint8_t key[LEDGER_KEY_BYTES];

	(void)source;
	if (RAND_bytes(key, sizeof(key)) != 1)
		return PW_ERR_CRYPTO;
	ledger_format(&doubt->ledger, at, ledger_bytes(SLOTS), key);
	pw_wipe(key, sizeof(key));
	return PW_OK;
}

static enum pw_status take(void *user, void *at)
{
	struct doubt *doubt = user;

	return ledger_attach(&doubt->ledger, at, ledger_bytes(SLOTS));
}

static enum pw_status map(struct doubt *doubt, const char *path)
{
	const struct pw_mapped_owner owner = { doubt, make, take };
	enum pw_mapped_source source;
	enum pw_status why, r;

	r = pw_mapped_open(&doubt->block, path, ledger_bytes(SLOTS), &owner, &source,
	                   &why);
	if (r == PW_OK && source == PW_MAPPED_ASIDE)
		complain("is no ledger: set aside", why, path);
	if (r == PW_OK && source == PW_MAPPED_MEMORY)
		complain("kept in memory only", why, path);
	return r;
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
	if ((r = map(doubt, path)) != PW_OK) {
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
	pw_mapped_close(&(*doubt)->block);
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
