#include "origin/queue/wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "origin/queue/command.h"

#define WRITE_MS                                                                         \
	60000 /* Postfix reads replies at once; this ends a peer that does not           \
	       */

_Static_assert(WIRE_INPUT_BYTES >= COMMAND_LINE_MAX + 2, "a command fits in");

void wire_init(struct wire *wire, int fd, int stop_fd)
{
	*wire = (struct wire){ .fd = fd, .stop_fd = stop_fd };
}

void wire_done(struct wire *wire)
{
	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
	pw_buf_done(&wire->out);
}

static enum wire_event wait_for(struct wire *wire, short events, bool may_stop,
                                int64_t deadline_ms)
{
	struct pollfd p[] = { { .fd = wire->fd, .events = events },
		              { .fd = may_stop ? wire->stop_fd : -1, .events = POLLIN } };

	for (;;) {
		int64_t left_ms = deadline_ms - pw_clock_mono_ms();
		int ready;

		if (left_ms <= 0)
			return WIRE_SILENT;
		ready = poll(p, PW_LEN(p), left_ms > INT_MAX ? INT_MAX : (int)left_ms);
		if (ready > 0)
			return p[0].revents ? WIRE_OK : WIRE_STOP;
		if (ready < 0 && errno != EINTR)
			return WIRE_GONE;
	}
}

enum wire_event wire_flush(struct wire *wire)
{
	struct pw_str left = pw_buf_str(&wire->out);
	int64_t deadline_ms = pw_clock_mono_ms() + WRITE_MS;

	if (pw_buf_status(&wire->out) != PW_OK)
		return WIRE_GONE; /* out of memory: half a reply is none */
	while (left.len > 0) {
		ssize_t sent = send(wire->fd, left.at, left.len, MSG_NOSIGNAL);

		if (sent >= 0)
			left = pw_str_sub(left, (size_t)sent, left.len);
		else if (errno != EAGAIN && errno != EINTR)
			return WIRE_GONE;
		else if (wait_for(wire, POLLOUT, false, deadline_ms) != WIRE_OK)
			return WIRE_GONE;
	}
	pw_buf_reset(&wire->out);
	return WIRE_OK;
}

/* Read once more, behind what is there. Whoever is just being answered has said nothing
 * more yet: wait first. */
static enum wire_event fill(struct wire *wire, bool may_stop, int64_t deadline_ms)
{
	bool has_answer = wire->out.len > 0;
	enum wire_event event = wire_flush(wire);

	if (event == WIRE_OK && has_answer)
		event = wait_for(wire, POLLIN, may_stop, deadline_ms);
	if (event != WIRE_OK)
		return event;
	memmove(wire->input, wire->input + wire->from, wire->to - wire->from);
	wire->to -= wire->from;
	wire->from = 0;
	for (;;) {
		ssize_t got = recv(wire->fd, wire->input + wire->to,
		                   sizeof(wire->input) - wire->to, 0);

		if (got > 0) {
			wire->to += (size_t)got;
			return WIRE_OK;
		}
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			return WIRE_GONE;
		event = wait_for(wire, POLLIN, may_stop, deadline_ms);
		if (event != WIRE_OK)
			return event;
	}
}

static struct pw_str unread(const struct wire *wire)
{
	return (struct pw_str){ wire->input + wire->from, wire->to - wire->from };
}

/* Bytes of a line with its CRLF; 0 = it is not whole yet. Other line ends are none: what
 * stands behind one must not be taken for a command. */
static size_t line_len(struct pw_str text)
{
	for (size_t i = 1; i < text.len; i++)
		if (text.at[i] == '\n' && text.at[i - 1] == '\r')
			return i + 1;
	return 0;
}

enum wire_event wire_line(struct wire *wire, struct pw_str *line_out, bool may_stop,
                          int64_t deadline_ms)
{
	size_t len;

	while ((len = line_len(unread(wire))) == 0) {
		enum wire_event event;

		if (wire->to - wire->from > COMMAND_LINE_MAX)
			return WIRE_LONG;
		if ((event = fill(wire, may_stop, deadline_ms)) != WIRE_OK)
			return event;
	}
	*line_out = pw_str_sub(unread(wire), 0, len - 2);
	wire_take(wire, len);
	return WIRE_OK;
}

enum wire_event wire_bytes(struct wire *wire, struct pw_str *bytes_out,
                           int64_t deadline_ms)
{
	enum wire_event event;

	if (wire->from == wire->to && (event = fill(wire, false, deadline_ms)) != WIRE_OK)
		return event;
	*bytes_out = unread(wire);
	return WIRE_OK;
}

void wire_take(struct wire *wire, size_t len)
{
	wire->from += len;
}
