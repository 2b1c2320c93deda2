#include "origin/engine/dot_stuff.h"

#include <string.h>

/* How many bytes from the start of chunk can be copied as they are: up to and with the
 * next LF that follows a CR. */
static size_t plain_len(const struct dot_stuff *state, struct pw_str chunk)
{
	size_t lf = pw_str_find(chunk, '\n');
	bool has_cr;

	if (lf == chunk.len)
		return lf;
	has_cr = lf > 0 ? chunk.at[lf - 1] == '\r' : state->after_cr;
	return has_cr ? lf + 1 : lf;
}

void dot_stuff_put(struct pw_buf *out, struct dot_stuff *state, struct pw_str chunk)
{
	while (chunk.len > 0) {
		size_t len;

		if (!state->in_line && chunk.at[0] == '.')
			pw_buf_putc(out, '.');
		len = plain_len(state, chunk);
		if (len == 0) { /* a bare LF */
			pw_buf_puts(out, PW_STR("\r\n"));
			*state = (struct dot_stuff){ 0 };
			chunk = pw_str_sub(chunk, 1, chunk.len);
			continue;
		}
		pw_buf_puts(out, pw_str_sub(chunk, 0, len));
		state->after_cr = chunk.at[len - 1] == '\r';
		state->in_line = chunk.at[len - 1] != '\n';
		chunk = pw_str_sub(chunk, len, chunk.len);
	}
}

void dot_stuff_end(struct pw_buf *out, struct dot_stuff *state)
{
	if (state->in_line)
		pw_buf_puts(out, PW_STR("\r\n"));
	pw_buf_puts(out, PW_STR(".\r\n"));
	*state = (struct dot_stuff){ 0 };
}
