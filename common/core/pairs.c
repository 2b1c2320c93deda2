#include "core/pairs.h"

#include "core/ascii.h"

static struct pw_str next_line(struct pw_pairs *p)
{
	p->next_line++;
	return pw_str_cut(&p->rest, '\n');
}

static struct pw_str without_comment(const struct pw_pairs *p, struct pw_str line)
{
	if (p->has_comments_anywhere)
		line = pw_str_sub(line, 0, pw_str_find(line, '#'));
	line = pw_str_trim(line);
	return line.len > 0 && line.at[0] == '#' ? pw_str_sub(line, 0, 0) : line;
}

/* The line after a pair belongs to it if it begins with a blank and says something. */
static bool goes_on(const struct pw_pairs *p)
{
	struct pw_str line = pw_str_sub(p->rest, 0, pw_str_find(p->rest, '\n'));

	return p->has_continued_lines && line.len > 0 && pw_is_wsp(line.at[0]) &&
	       without_comment(p, line).len > 0;
}

bool pw_pairs_next(struct pw_pairs *pairs, struct pw_pair *out)
{
	struct pw_str line;
	size_t end = 0;

	do {
		if (pairs->rest.len == 0)
			return false;
		out->line = pairs->next_line;
		line = without_comment(pairs, next_line(pairs));
	} while (line.len == 0);
	while (goes_on(pairs)) {
		struct pw_str more = without_comment(pairs, next_line(pairs));

		line.len = (size_t)(more.at + more.len - line.at);
	}
	while (end < line.len && !pw_is_wsp(line.at[end]) && line.at[end] != '\n')
		end++;
	out->name = pw_str_trim(pw_str_sub(line, 0, end));
	out->value = pw_str_trim(pw_str_sub(line, end, line.len));
	return true;
}

static bool is_separator(char c)
{
	return c == ',' || c == '\n' || c == '\r' || pw_is_wsp(c);
}

bool pw_list_next(struct pw_str *rest, struct pw_str *out)
{
	size_t start = 0, end;

	while (start < rest->len && is_separator(rest->at[start]))
		start++;
	for (end = start; end < rest->len && !is_separator(rest->at[end]);)
		end++;
	*out = pw_str_sub(*rest, start, end - start);
	*rest = pw_str_sub(*rest, end, rest->len);
	return out->len > 0;
}
