#include <stdlib.h>

#include "policyd/daemon.h"
#include "policyd/usage_line.h"

struct session {
	bool has_greeted;
};

/* The server greets first, the client's greeting is the first line it sends. */
static void *talk_open(void *arg, struct pw_buf *out)
{
	(void)arg;
	pw_buf_puts(out, PW_STR(USAGE_LINE_GREETING "\n"));
	return calloc(1, sizeof(struct session));
}

static void talk_close(void *arg, void *session)
{
	(void)arg;
	free(session);
}

static ssize_t talk_eat(void *arg, void *session, struct pw_str bytes, struct pw_buf *out)
{
	struct daemon *daemon = arg;
	struct session *s = session;
	size_t line_len = pw_str_find(bytes, '\n');
	struct pw_str line = pw_str_sub(bytes, 0, line_len);
	struct usage_world world = { daemon->world.catalog,
		                     database_is_fresh(daemon->database), daemon->usage };

	if (line_len >= USAGE_LINE_MAX)
		return SERVER_CLOSE;
	if (line_len == bytes.len)
		return SERVER_MORE;
	if (!s->has_greeted) {
		if (!pw_str_eq(line, PW_STR(USAGE_LINE_GREETING)))
			return SERVER_CLOSE;
		s->has_greeted = true;
	} else {
		pw_count(&numbers, NUMBER_usage_requests, 1);
		if (usage_line_answer(out, line, &world) != PW_OK)
			return SERVER_CLOSE;
	}
	return (ssize_t)line_len + 1;
}

const struct server_protocol usage_protocol = {
	.input_max = USAGE_LINE_MAX,
	.open = talk_open,
	.eat = talk_eat,
	.close = talk_close,
	.name = "usage",
};
