#include "core/canon.h"

#include <string.h>

#include "core/ascii.h"

void pw_canon_header_simple(struct pw_buf *out, struct pw_str name, struct pw_str value)
{
	pw_buf_puts(out, name);
	pw_buf_putc(out, ':');
	do { /* line by line */
		struct pw_str line = pw_str_cut(&value, '\n');

		if (value.at != NULL && line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		pw_buf_puts(out, line);
		pw_buf_puts(out, PW_STR("\r\n"));
	} while (value.at != NULL);
}

/* A line end that a blank follows is a fold; at i, how many bytes of line end are there?
 */
static size_t fold_length(struct pw_str value, size_t i)
{
	size_t n = value.at[i] == '\r' ? 1 : 0;

	if (i + n + 1 >= value.len || value.at[i + n] != '\n')
		return 0;
	return pw_is_wsp(value.at[i + n + 1]) ? n + 1 : 0;
}

void pw_canon_header_relaxed(struct pw_buf *out, struct pw_str name, struct pw_str value)
{
	bool gap = false, any = false;

	pw_buf_put_lower(out, pw_str_trim_wsp(name));
	pw_buf_putc(out, ':');
	for (size_t i = 0; i < value.len; i++) {
		size_t fold = fold_length(value, i);

		if (fold > 0)
			i += fold; /* onto the blank behind it */
		if (pw_is_wsp(value.at[i])) {
			gap = true;
			continue;
		}
		if (gap && any)
			pw_buf_putc(out, ' ');
		gap = false;
		any = true;
		pw_buf_putc(out, value.at[i]);
	}
	pw_buf_puts(out, PW_STR("\r\n"));
}

void pw_canon_body_init(struct pw_canon_body *body, pw_canon_sink sink, void *context)
{
	memset(body, 0, offsetof(struct pw_canon_body, stage));
	body->sink = sink;
	body->context = context;
}

static void flush(struct pw_canon_body *body)
{
	if (body->staged > 0)
		body->sink(body->context, (struct pw_str){ body->stage, body->staged });
	body->staged = 0;
}

static inline void put(struct pw_canon_body *body, char c)
{
	if (body->staged == PW_CANON_STAGE)
		flush(body);
	body->stage[body->staged++] = c;
}

static inline void content(struct pw_canon_body *body, char c)
{
	for (; body->ends > 0; body->ends--) {
		put(body, '\r');
		put(body, '\n');
	}
	if (body->gap)
		put(body, ' ');
	body->gap = false;
	body->any = true;
	put(body, c);
}

static void line_end(struct pw_canon_body *body)
{
	body->ends++;
	body->gap = false; /* blanks before a line end go */
	body->line = 0;
}

/* Length of the current line, as it will be sent. */
static inline void count(struct pw_canon_body *body)
{
	if (++body->line > body->line_max)
		body->line_max = body->line;
}

static void stray_cr(struct pw_canon_body *body)
{
	count(body);
	content(body, '\r');
	body->has_stray = true;
}

static inline void take(struct pw_canon_body *body, struct pw_str chunk, bool is_relaxed)
{
	for (size_t i = 0; i < chunk.len; i++) {
		char c = chunk.at[i];

		if (body->cr) {
			body->cr = false;
			if (c == '\n') {
				line_end(body);
				continue;
			}
			stray_cr(body);
		}
		if (c == '\r') {
			body->cr = true;
			continue;
		}
		count(body);
		body->has_stray = body->has_stray || c == '\n';
		if (is_relaxed && pw_is_wsp(c))
			body->gap = true;
		else
			content(body, c);
	}
}

void pw_canon_body_relaxed(struct pw_canon_body *body, struct pw_str chunk)
{
	take(body, chunk, true);
}

void pw_canon_body_simple(struct pw_canon_body *body, struct pw_str chunk)
{
	take(body, chunk, false);
}

void pw_canon_body_end(struct pw_canon_body *body)
{
	if (body->cr)
		stray_cr(body);
	body->cr = false;
	if (body->any) { /* RFC 6376 3.4.4: a body that is not empty ends in CRLF */
		put(body, '\r');
		put(body, '\n');
	}
	flush(body);
}

void pw_canon_body_simple_end(struct pw_canon_body *body)
{
	body->any = true; /* RFC 6376 3.4.3: an empty body is one CRLF */
	pw_canon_body_end(body);
}
