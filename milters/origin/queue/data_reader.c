#include "origin/queue/data_reader.h"

/* Up to and with the next CR, copied as it is. */
static size_t copy_line(struct data_reader *reader, struct pw_str rest,
                        struct pw_buf *out)
{
	size_t cr = pw_str_find(rest, '\r');
	bool is_found = cr < rest.len;
	size_t len = is_found ? cr + 1 : cr;

	pw_buf_puts(out, pw_str_sub(rest, 0, len));
	reader->state = is_found ? DATA_CR : DATA_IN_LINE;
	return len;
}

size_t data_read(struct data_reader *reader, struct pw_str chunk, struct pw_buf *out,
                 bool *is_end_out)
{
	size_t at = 0;

	*is_end_out = false;
	while (at < chunk.len) {
		char c = chunk.at[at];

		switch (reader->state) {
		case DATA_LINE_START:
			if (c != '.') {
				reader->state = DATA_IN_LINE;
				continue;
			}
			reader->state = DATA_DOT;
			at++;
			break;
		case DATA_DOT: /* it may be the one that was put before a line */
			reader->state = c == '\r' ? DATA_DOT_CR : DATA_IN_LINE;
			at += c == '\r';
			break;
		case DATA_DOT_CR:
			reader->state = DATA_LINE_START;
			if (c == '\n') {
				*is_end_out = true;
				return at + 1;
			}
			pw_buf_putc(out, '\r');
			reader->state = DATA_CR;
			break;
		case DATA_CR:
			pw_buf_putc(out, c);
			at++;
			reader->state = c == '\n'   ? DATA_LINE_START
			                : c == '\r' ? DATA_CR
			                            : DATA_IN_LINE;
			break;
		case DATA_IN_LINE:
		default:
			at += copy_line(reader, pw_str_sub(chunk, at, chunk.len), out);
			break;
		}
	}
	return at;
}
