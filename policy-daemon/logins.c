#include "policyd/logins.h"

#include <stdlib.h>

#include "policyd/lru.h"

struct written {
	struct lru_entry entry;
	struct pw_ip address;
	int64_t at_ms;
	bool is_known;
};

struct logins {
	struct lru *written;
};

enum pw_status logins_new(struct logins **out, const uint8_t seed[16])
{
	PW_AUTO(logins_free) struct logins *logins = calloc(1, sizeof(*logins));
	enum pw_status r;

	if (logins == NULL)
		return PW_ERR_NOMEM;
	if ((r = lru_new(&logins->written, seed, LOGINS_MAX, sizeof(struct written))) !=
	    PW_OK)
		return r;
	*out = PW_TAKE(logins);
	return PW_OK;
}

void logins_free(struct logins **logins)
{
	if (*logins == NULL)
		return;
	lru_free(&(*logins)->written);
	free(*logins);
	*logins = NULL;
}

bool logins_is_news(struct logins *logins, const struct login_note *note, int64_t now_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf key = { 0 };
	struct written *written;

	pw_buf_put_int(&key, note->credential);
	pw_buf_putc(&key, ' ');
	pw_buf_put_int(&key, (int64_t)note->user.len);
	pw_buf_putc(&key, ' ');
	pw_buf_puts(&key, note->user);
	pw_buf_puts(&key, note->service);
	if (pw_buf_status(&key) != PW_OK ||
	    (written = lru_use(logins->written, pw_buf_str(&key))) == NULL)
		return true;
	if (written->is_known && pw_ip_eq(written->address, note->address) &&
	    now_ms - written->at_ms < LOGINS_EVERY_MS)
		return false;
	written->is_known = true;
	written->address = note->address;
	written->at_ms = now_ms;
	return true;
}
