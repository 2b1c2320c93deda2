/* What is stuffed never holds the end of a message before its end, and unstuffing gives
 * the message back, bare LF as CRLF. */
#include <stdlib.h>
#include <string.h>

#include "origin/engine/dot_stuff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The message with each bare LF as CRLF and a final line end: what must come out again.
 */
static void normalise(struct pw_buf *out, struct pw_str in)
{
	for (size_t i = 0; i < in.len; i++) {
		if (in.at[i] == '\n' && (i == 0 || in.at[i - 1] != '\r'))
			pw_buf_putc(out, '\r');
		pw_buf_putc(out, in.at[i]);
	}
	if (in.len > 0 && in.at[in.len - 1] != '\n')
		pw_buf_puts(out, PW_STR("\r\n"));
}

/* As a server reads it, up to the first line that is a dot alone; returns the bytes read.
 */
static size_t unstuff(struct pw_buf *out, struct pw_str in)
{
	bool at_start = true;

	for (size_t i = 0; i < in.len; i++) {
		struct pw_str rest = pw_str_sub(in, i, in.len);

		if (at_start && pw_str_starts(rest, PW_STR(".\r\n")))
			return i + 3;
		if (at_start && in.at[i] == '.') {
			at_start = false;
			continue;
		}
		pw_buf_putc(out, in.at[i]);
		at_start = in.at[i] == '\n' && i > 0 && in.at[i - 1] == '\r';
		if (in.at[i] == '\n' && !at_start)
			abort(); /* a bare LF went out */
	}
	abort(); /* no end */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_buf_done) struct pw_buf stuffed = { 0 }, back = { 0 }, wanted = { 0 };
	struct pw_str message;
	struct dot_stuff state = { 0 };
	size_t step;

	if (size < 1)
		return 0;
	step = (size_t)data[0] + 1; /* the first byte says how to cut */
	message = (struct pw_str){ (const char *)data + 1, size - 1 };
	for (size_t at = 0; at < message.len; at += step)
		dot_stuff_put(&stuffed, &state, pw_str_sub(message, at, step));
	dot_stuff_end(&stuffed, &state);
	if (unstuff(&back, pw_buf_str(&stuffed)) != stuffed.len)
		abort();
	normalise(&wanted, message);
	if (!pw_str_eq(pw_buf_str(&back), pw_buf_str(&wanted)))
		abort();
	return 0;
}
