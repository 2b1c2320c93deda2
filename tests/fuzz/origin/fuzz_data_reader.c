/* However DATA is cut, it ends where CRLF . CRLF stands first and nowhere else; and a
 * message that was stuffed comes out as it was. What the header filter lets through holds
 * none of our fields, and is the same however it is cut. */
#include <stdlib.h>
#include <string.h>

#include "origin/engine/dot_stuff.h"
#include "origin/queue/data_reader.h"
#include "origin/queue/header_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes up to and with the end of the message; 0 = there is none. */
static size_t find_end(struct pw_str input)
{
	static const struct pw_str mark = { "\r\n.\r\n", 5 };

	if (pw_str_starts(input, PW_STR(".\r\n")))
		return 3;
	for (size_t i = 0; i + mark.len <= input.len; i++)
		if (pw_str_starts(pw_str_sub(input, i, input.len), mark))
			return i + mark.len;
	return 0;
}

/* Returns the bytes taken; 0 = the message did not end. */
static size_t read_all(struct pw_buf *out, struct pw_str input, size_t step)
{
	struct data_reader reader = { 0 };
	bool is_end = false;
	size_t at = 0;

	while (at < input.len && !is_end)
		at += data_read(&reader, pw_str_sub(input, at, step), out, &is_end);
	return is_end ? at : 0;
}

static void check_round(struct pw_str message)
{
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 }, back = { 0 }, twice = { 0 };
	struct dot_stuff state = { 0 };

	dot_stuff_put(&once, &state, message);
	dot_stuff_end(&once, &state);
	if (read_all(&back, pw_buf_str(&once), once.len) != once.len)
		abort();
	dot_stuff_put(&twice, &state, pw_buf_str(&back));
	dot_stuff_end(&twice, &state);
	if (!pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
}

struct parts {
	struct pw_buf top, trace, rest;
};

static void parts_done(struct parts *p)
{
	pw_buf_done(&p->top);
	pw_buf_done(&p->trace);
	pw_buf_done(&p->rest);
}

/* Returns where the body begins. */
static size_t filter(struct parts *p, struct pw_str message, size_t step)
{
	const struct header_parts parts = { &p->top, &p->trace, &p->rest };
	struct header_filter state = { 0 };
	size_t at = 0;

	while (at < message.len && state.state != HEADER_OVER)
		at += header_filter_put(&state, pw_str_sub(message, at, step), &parts);
	if (state.state != HEADER_OVER)
		header_filter_end(&state, &parts);
	return at;
}

/* Is there a line that begins like a field of ours? */
static bool has_ours(struct pw_str header)
{
	while (header.at)
		if (pw_str_starts_nocase(pw_str_cut(&header, '\n'), PW_STR("postward-")))
			return true;
	return false;
}

static bool has_empty_line(struct pw_str header)
{
	while (header.at) {
		struct pw_str line = pw_str_cut(&header, '\n');

		if (header.at && pw_str_trim(line).len == line.len && line.len == 0)
			return true;
	}
	return false;
}

static void check_filter(struct pw_str message, size_t step)
{
	PW_AUTO(parts_done) struct parts whole = { 0 }, pieces = { 0 };
	size_t body = filter(&whole, message, message.len + 1);

	if (filter(&pieces, message, step) != body ||
	    !pw_str_eq(pw_buf_str(&whole.top), pw_buf_str(&pieces.top)) ||
	    !pw_str_eq(pw_buf_str(&whole.trace), pw_buf_str(&pieces.trace)) ||
	    !pw_str_eq(pw_buf_str(&whole.rest), pw_buf_str(&pieces.rest)))
		abort();
	if (has_ours(pw_buf_str(&whole.rest)) || has_ours(pw_buf_str(&whole.trace)) ||
	    has_empty_line(pw_buf_str(&whole.rest)) ||
	    whole.top.len + whole.trace.len + whole.rest.len > body)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_buf_done) struct pw_buf whole = { 0 }, pieces = { 0 };
	struct pw_str input;
	size_t step, end;

	if (size < 1)
		return 0;
	step = (size_t)data[0] + 1; /* the first byte says how to cut */
	input = (struct pw_str){ (const char *)data + 1, size - 1 };
	end = find_end(input);
	if (read_all(&whole, input, input.len + 1) != end ||
	    read_all(&pieces, input, step) != end ||
	    !pw_str_eq(pw_buf_str(&whole), pw_buf_str(&pieces)))
		abort();
	check_round(input);
	check_filter(input, step);
	return 0;
}
