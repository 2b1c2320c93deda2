#include "origin/fallback/known.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "core/address.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/log.h"
#include "origin/fallback/recipients.h"

#define FILE_NAME "recipients.cache"

struct known {
	pthread_mutex_t lock;
	struct recipients table;
	char path[4096];
};

static int64_t now_s(void)
{
	return pw_clock_wall_ms() / 1000;
}

static void complain(const char *what, enum pw_status status, const char *path)
{
	pw_log(PW_LOG_WARNING, "", PW_KV("event", "recipients"), PW_KV("why", what),
	       PW_KV("status", pw_status_text(status)), PW_KV("path", path), PW_KV_END);
}

static void set_aside(const char *path)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };

	pw_buf_printf(&name, "%s.broken", path);
	if (pw_buf_status(&name) == PW_OK)
		(void)rename(path, pw_buf_text(&name));
}

static void load(struct known *known)
{
	PW_AUTO(pw_buf_done) struct pw_buf file = { 0 };
	enum pw_status r =
		pw_file_read(&file, known->path,
	                     (size_t)RECIPIENTS_MOST * RECIPIENTS_ENTRY_BYTES + 4096);

	if (r == PW_OK)
		r = recipients_load(&known->table, pw_buf_str(&file), now_s());
	if (r == PW_OK || r == PW_ERR_NOTFOUND)
		return;
	if (r == PW_ERR_SYNTAX || r == PW_ERR_LIMIT)
		set_aside(known->path);
	complain("cannot be read: begins empty", r, known->path);
}

enum pw_status known_open(struct known **out, const char *folder, size_t max)
{
	struct known *known = calloc(1, sizeof(*known));
	uint8_t key[RECIPIENTS_KEY_BYTES];

	if (!known)
		return PW_ERR_NOMEM;
	if (RAND_bytes(key, sizeof(key)) != 1) {
		free(known);
		return PW_ERR_CRYPTO;
	}
	(void)snprintf(known->path, sizeof(known->path), "%s/" FILE_NAME, folder);
	pthread_mutex_init(&known->lock, NULL);
	recipients_init(&known->table, key, max);
	load(known);
	*out = known;
	return PW_OK;
}

void known_close(struct known **known)
{
	if (!*known)
		return;
	recipients_done(&(*known)->table);
	pthread_mutex_destroy(&(*known)->lock);
	free(*known);
	*known = NULL;
}

static void saw(struct known *known, struct pw_str address)
{
	PW_AUTO(pw_buf_done) struct pw_buf normal = { 0 };

	if (pw_address_normalise(&normal, address) != PW_OK)
		return;
	pthread_mutex_lock(&known->lock);
	/* without memory it is asked for again the next time it is accepted */
	(void)!recipients_put(&known->table, pw_buf_str(&normal), now_s());
	pthread_mutex_unlock(&known->lock);
}

static void forget(struct known *known, struct pw_str address)
{
	PW_AUTO(pw_buf_done) struct pw_buf normal = { 0 };

	if (pw_address_normalise(&normal, address) != PW_OK)
		return;
	pthread_mutex_lock(&known->lock);
	recipients_drop(&known->table, pw_buf_str(&normal));
	pthread_mutex_unlock(&known->lock);
}

void known_learn(struct known *known, struct pw_str address,
                 enum upstream_verdict verdict, const struct smtp_reply *reply)
{
	if (verdict == UPSTREAM_OK)
		saw(known, address);
	else if (verdict == UPSTREAM_REFUSED && reply->code / 100 == 5 &&
	         pw_str_eq(pw_str_from(reply->enhanced), PW_STR("5.1.1")))
		forget(known, address);
}

bool known_has(struct known *known, struct pw_str address, int64_t age_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf normal = { 0 };
	bool has;

	if (pw_address_normalise(&normal, address) != PW_OK)
		return false;
	pthread_mutex_lock(&known->lock);
	has = recipients_has(&known->table, pw_buf_str(&normal), age_ms / 1000, now_s());
	pthread_mutex_unlock(&known->lock);
	return has;
}

size_t known_count(struct known *known)
{
	size_t count;

	pthread_mutex_lock(&known->lock);
	count = known->table.count;
	pthread_mutex_unlock(&known->lock);
	return count;
}

void known_write(struct known *known, int64_t age_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf file = { 0 };
	bool is_changed;
	enum pw_status r;

	pthread_mutex_lock(&known->lock);
	is_changed = known->table.is_changed;
	if (is_changed)
		recipients_dump(&file, &known->table, age_ms / 1000, now_s());
	known->table.is_changed = false;
	pthread_mutex_unlock(&known->lock);
	if (!is_changed)
		return;
	if ((r = pw_buf_status(&file)) == PW_OK)
		r = pw_file_replace(known->path, pw_buf_str(&file), 0600);
	if (r == PW_OK)
		return;
	complain("cannot be written", r, known->path);
	pthread_mutex_lock(&known->lock);
	known->table.is_changed = true;
	pthread_mutex_unlock(&known->lock);
}
