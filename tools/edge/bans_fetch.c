#include "tools/edge/bans_fetch.h"

#include <errno.h>

#include "tools/edge/talk.h"

static enum pw_status read_all(struct pw_buf *out, const struct talk *t)
{
	char bytes[65536];
	enum pw_status r;
	ssize_t n;

	for (;;) {
		if (!talk_wait(t))
			return PW_ERR_TIMEOUT;
		n = recv(t->fd, bytes, sizeof(bytes), 0);
		if (n == 0)
			return PW_OK;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return PW_ERR_AWAY;
		if (n > 0)
			pw_buf_puts(out, (struct pw_str){ bytes, (size_t)n });
		if ((r = pw_buf_status(out)) != PW_OK)
			return r;
	}
}

enum pw_status bans_fetch(struct pw_buf *out, struct pw_ip host, unsigned int port,
                          int64_t deadline_ms)
{
	struct talk t;
	int error = 0;
	enum pw_status r;

	if (!talk_open(&t, host, port, deadline_ms, &error))
		return error == ETIMEDOUT ? PW_ERR_TIMEOUT : PW_ERR_AWAY;
	r = read_all(out, &t);
	talk_close(&t);
	return r;
}
