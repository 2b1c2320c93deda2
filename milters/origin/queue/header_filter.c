#include "origin/queue/header_filter.h"

#include "core/ascii.h"

static const struct pw_str ours = { "postward-", HEADER_START_BYTES };
static const struct pw_str trace = { "received:", HEADER_START_BYTES };

static bool is_empty_line(struct pw_str start)
{
	return pw_str_eq(start, PW_STR("\n")) || pw_str_eq(start, PW_STR("\r\n"));
}

static bool begins(struct pw_str start, struct pw_str name)
{
	return pw_str_eq_nocase(start, pw_str_sub(name, 0, start.len));
}

/* What the first bytes of a line say; HEADER_LINE_START: not enough of them yet. */
static enum header_state judge(const struct header_filter *filter, struct pw_str start)
{
	bool is_ours = begins(start, ours);
	bool is_trace = !filter->has_top && begins(start, trace);

	if (is_empty_line(start))
		return HEADER_OVER;
	if (pw_str_eq(start, PW_STR("\r")))
		return HEADER_LINE_START;
	if (pw_is_wsp(start.at[0]))
		return filter->field == HEADER_LINE_START ? HEADER_PASS : filter->field;
	if (!is_ours && !is_trace)
		return HEADER_PASS;
	if (start.len < HEADER_START_BYTES)
		return HEADER_LINE_START;
	if (is_trace)
		return HEADER_TRACE;
	return filter->has_top ? HEADER_DROP : HEADER_KEEP;
}

static void put(enum header_state state, struct pw_str bytes,
                const struct header_parts *parts)
{
	switch (state) {
	case HEADER_KEEP:
		pw_buf_puts(parts->top, bytes);
		break;
	case HEADER_TRACE:
		pw_buf_puts(parts->trace, bytes);
		break;
	case HEADER_LINE_START:
	case HEADER_PASS:
		pw_buf_puts(parts->rest, bytes);
		break;
	case HEADER_DROP:
	case HEADER_OVER:
	default:
		break;
	}
}

/* A byte of which the line's fate may depend. */
static void look(struct header_filter *filter, char c, const struct header_parts *parts)
{
	struct pw_str start = { filter->start, filter->start_len + 1 };

	filter->start[filter->start_len++] = c;
	filter->state = judge(filter, start);
	if (filter->state == HEADER_LINE_START)
		return;
	filter->dropped += filter->state == HEADER_DROP && !pw_is_wsp(start.at[0]);
	filter->has_top |= filter->state != HEADER_KEEP;
	put(filter->state, start, parts);
	filter->start_len = 0;
	filter->field = filter->state;
	if (c == '\n' && filter->state != HEADER_OVER)
		filter->state = HEADER_LINE_START;
}

/* The rest of a line, or what there is of it; returns its bytes. */
static size_t copy_line(struct header_filter *filter, struct pw_str text,
                        const struct header_parts *parts)
{
	size_t lf = pw_str_find(text, '\n');
	bool is_whole = lf < text.len;
	size_t len = is_whole ? lf + 1 : lf;

	put(filter->state, pw_str_sub(text, 0, len), parts);
	if (is_whole)
		filter->state = HEADER_LINE_START;
	return len;
}

size_t header_filter_put(struct header_filter *filter, struct pw_str chunk,
                         const struct header_parts *parts)
{
	size_t at = 0;

	while (at < chunk.len && filter->state != HEADER_OVER) {
		if (filter->state == HEADER_LINE_START)
			look(filter, chunk.at[at++], parts);
		else
			at += copy_line(filter, pw_str_sub(chunk, at, chunk.len), parts);
	}
	return at;
}

void header_filter_end(struct header_filter *filter, const struct header_parts *parts)
{
	put(HEADER_PASS, (struct pw_str){ filter->start, filter->start_len }, parts);
	filter->start_len = 0;
	filter->has_top = true;
	filter->state = HEADER_OVER;
}
