#include "core/learn_line.h"

#include <string.h>

static const struct pw_str verdict_words[] = {
	[PW_LEARN_SPAM] = { "spam", 4 },
	[PW_LEARN_HAM] = { "ham", 3 },
};

static bool is_sayable(struct pw_str user)
{
	for (size_t i = 0; i < user.len; i++) {
		if (strchr("\t\n\r", user.at[i]) != NULL) /* finds the NUL too */
			return false;
	}
	return user.len > 0;
}

enum pw_status pw_learn_line_put(struct pw_buf *out, const struct pw_learn_line *line)
{
	size_t start = out->len;

	if (!is_sayable(line->user))
		return PW_ERR_SYNTAX;
	if (line->size == 0 || line->size > PW_LEARN_SIZE_MAX)
		return PW_ERR_RANGE;
	pw_buf_puts(out, verdict_words[line->verdict]);
	pw_buf_putc(out, '\t');
	pw_buf_puts(out, line->user);
	pw_buf_putc(out, '\t');
	pw_buf_put_int(out, (int64_t)line->size);
	pw_buf_putc(out, '\n');
	if (pw_buf_status(out) == PW_OK && out->len - start <= PW_LEARN_LINE_MAX)
		return PW_OK;
	pw_buf_truncate(out, start);
	return pw_buf_status(out) != PW_OK ? pw_buf_status(out) : PW_ERR_LIMIT;
}

static bool parse_verdict(struct pw_str word, enum pw_learn_verdict *out)
{
	for (size_t i = 0; i < PW_LEN(verdict_words); i++) {
		if (pw_str_eq(word, verdict_words[i])) {
			*out = (enum pw_learn_verdict)i;
			return true;
		}
	}
	return false;
}

enum pw_status pw_learn_line_parse(struct pw_learn_line *out, struct pw_str text)
{
	struct pw_str rest = text;
	struct pw_learn_line line;
	int64_t size;

	if (text.len >= PW_LEARN_LINE_MAX ||
	    !parse_verdict(pw_str_cut(&rest, '\t'), &line.verdict))
		return PW_ERR_PROTOCOL;
	line.user = pw_str_cut(&rest, '\t');
	if (!is_sayable(line.user) ||
	    pw_str_to_int64(rest, 1, (int64_t)PW_LEARN_SIZE_MAX, &size) != PW_OK)
		return PW_ERR_PROTOCOL;
	line.size = (size_t)size;
	*out = line;
	return PW_OK;
}
