#include "core/uu.h"

#include <string.h>

static struct pw_str cut_line(struct pw_str *rest)
{
	struct pw_str line = pw_str_cut(rest, '\n');

	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

struct pw_str pw_uu_begin(struct pw_str text)
{
	while (text.at != NULL && text.len > 0)
		if (pw_str_starts(cut_line(&text), PW_STR("begin ")))
			break;
	return text.at != NULL ? text : (struct pw_str){ "", 0 };
}

static unsigned value(char c)
{
	return ((unsigned)(unsigned char)c - ' ') & 63u;
}

bool pw_uu_next(struct pw_str *rest, char out[PW_UU_LINE_MAX], size_t *len_out)
{
	struct pw_str line;
	size_t len, there;
	unsigned bits = 0, have = 0;

	if (rest->at == NULL || rest->len == 0)
		return false;
	line = cut_line(rest);
	if (line.len == 0 || pw_str_eq(line, PW_STR("end")) ||
	    (len = value(line.at[0])) == 0)
		return false;
	there = (line.len - 1) * 3 / 4;
	*len_out = len <= line.len ? len : there; /* blanks at its end may be eaten */
	for (size_t i = 1, n = 0; n < *len_out; i++) {
		bits = bits << 6 | (i < line.len ? value(line.at[i]) : 0);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		out[n++] = (char)(bits >> have & 0xff);
	}
	return true;
}
