#include "tools/edge/talk.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/ascii.h"
#include "tools/connect.h"

#define REPLY_MAX_BYTES ((size_t)64 * 1024)
#define LINE_MAX_BYTES 4096

bool talk_wait(const struct talk *t)
{
	return tool_wait(t->fd, POLLIN, t->deadline_ms);
}

bool talk_open(struct talk *t, struct pw_ip ip, unsigned int port, int64_t deadline_ms,
               int *errno_out)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = tool_address(&address, ip, port);

	*t = (struct talk){ .deadline_ms = deadline_ms };
	t->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	*errno_out = t->fd < 0 ? errno
	                       : tool_connect(t->fd, (const struct sockaddr *)&address,
	                                      len, deadline_ms);
	if (*errno_out == 0)
		return true;
	talk_close(t);
	return false;
}

void talk_close(struct talk *t)
{
	if (t->fd >= 0)
		(void)close(t->fd);
	t->fd = -1;
}

bool talk_send(struct talk *t, struct pw_str bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(t->fd, bytes.at, bytes.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN &&
		    !tool_wait(t->fd, POLLOUT, t->deadline_ms))
			return false;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		bytes = pw_str_sub(bytes, n > 0 ? (size_t)n : 0, bytes.len);
	}
	return true;
}

/* A line with its end; false when it does not come, and code says why. */
static bool hear_line(struct talk *t, struct pw_buf *line, int *code)
{
	for (;;) {
		const char *end = memchr(t->in, '\n', t->len);
		size_t part = end != NULL ? (size_t)(end - t->in) + 1 : t->len;
		ssize_t n;

		pw_buf_puts(line, (struct pw_str){ t->in, part });
		t->len -= part;
		memmove(t->in, t->in + part, t->len);
		if (end != NULL)
			return true;
		if (!talk_wait(t)) {
			*code = TALK_SILENT;
			return false;
		}
		n = recv(t->fd, t->in, sizeof(t->in), 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		    line->len > LINE_MAX_BYTES) {
			*code = TALK_LOST;
			return false;
		}
		t->len = n > 0 ? (size_t)n : 0;
	}
}

static bool is_reply(struct pw_str line)
{
	return line.len >= 3 && pw_is_digit(line.at[0]) && pw_is_digit(line.at[1]) &&
	       pw_is_digit(line.at[2]) &&
	       (line.len == 3 || line.at[3] == ' ' || line.at[3] == '-');
}

int talk_hear(struct talk *t, struct pw_buf *out)
{
	int code = TALK_LOST;

	for (bool is_more = true; is_more;) {
		PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
		struct pw_str text;

		if (!hear_line(t, &line, &code))
			return code;
		text = pw_str_trim(pw_buf_str(&line));
		if (!is_reply(text) || out->len > REPLY_MAX_BYTES)
			return TALK_LOST;
		is_more = text.len > 3 && text.at[3] == '-';
		code = (text.at[0] - '0') * 100 + (text.at[1] - '0') * 10 +
		       (text.at[2] - '0');
		pw_buf_printf(out, "%.*s\n", PW_FMT(pw_str_sub(text, 4, text.len)));
	}
	return code;
}

int talk_say(struct talk *t, struct pw_buf *reply, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 2, format, args);
	va_end(args);
	pw_buf_reset(reply);
	if (len < 0 || (size_t)len >= sizeof(line) - 2)
		return TALK_LOST;
	memcpy(line + len, "\r\n", 2);
	if (!talk_send(t, (struct pw_str){ line, (size_t)len + 2 }))
		return TALK_LOST;
	return talk_hear(t, reply);
}

struct pw_str talk_keyword(struct pw_str lines, const char *word)
{
	while (lines.len > 0) {
		struct pw_str line = pw_str_cut(&lines, '\n');
		struct pw_str first = pw_str_cut(&line, ' ');

		if (pw_str_eq_nocase(first, pw_str_from(word)))
			return line.at != NULL ? line : PW_STR("");
	}
	return (struct pw_str){ NULL, 0 };
}
